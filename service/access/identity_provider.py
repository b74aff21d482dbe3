"""Tokens of an identity provider (OpenID Connect): signed by it, for us, and not yet expired."""

from collections.abc import Iterator, Mapping
from typing import Any

import jwt

from service.access.callers import SCOPES, Caller, RefusedError, Scope
from service.access.patience import TIMEOUT, Patience

# Only what a public key verifies: a public key taken as the secret of an HMAC would be known to everybody.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY = 10.0  # seconds that the clocks of issuer and service may differ by
LONGEST_SUBJECT = 256
NATIVE: Mapping[str, Scope] = {f"wharfinger:{scope}": scope for scope in SCOPES}


class IdentityProvider:
    """Checks tokens of one issuer.

    Parameters
    ----------
    issuer, audience
        What `iss` and `aud` of a token must name.
    keys_url
        Where the issuer publishes its keys (JWKS); they are kept for five minutes.
    claim
        The claim that says what the caller may do, with dots for claims within claims: a list, or a text with spaces.
    scopes
        Which scope each value of the claim gives.
    """

    def __init__(
        self, issuer: str, audience: str, keys_url: str, *, claim: str = "scope", scopes: Mapping[str, Scope] = NATIVE
    ) -> None:
        self._issuer, self._audience, self._claim, self._scopes = issuer, audience, claim, scopes
        self._keys = jwt.PyJWKClient(keys_url, timeout=TIMEOUT)
        self._patience = Patience()

    def caller(self, token: str) -> Caller:
        """Tell whose token it is that was made for this service; raises what `claims` does."""
        return self.caller_of(self.claims(token, self._audience))

    def caller_of(self, claims: Mapping[str, Any]) -> Caller:
        """Tell who is meant by claims that were checked, and what they allow."""
        given = frozenset(self._scopes[value] for value in self._values(claims) if value in self._scopes)
        return Caller(f"oidc:{claims['sub']}"[:LONGEST_SUBJECT], given)

    def claims(self, token: str, audience: str) -> Mapping[str, Any]:
        """Check a token, and give what it says.

        Parameters
        ----------
        audience
            What its `aud` must name.

        Raises
        ------
        RefusedError
            If it is not signed by the issuer with one of `ALGORITHMS`, is not for the audience, or has expired.
        UnverifiableError
            If the issuer's keys cannot be had.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS or not header.get("kid"):
                raise RefusedError(
                    f"The token must be signed with a key that it names, by one of {', '.join(ALGORITHMS)}"
                )
            claims: Mapping[str, Any] = jwt.decode(
                token,
                self._key(str(header["kid"])),
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=audience,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise RefusedError("The token has expired") from None
        except jwt.PyJWTError:
            raise RefusedError("The token is not one that the identity provider made for this service") from None
        return claims

    def _key(self, name: str) -> jwt.PyJWK:
        with self._patience.asking(jwt.exceptions.PyJWKClientConnectionError):
            return self._keys.get_signing_key(name)

    def _values(self, claims: Mapping[str, Any]) -> Iterator[str]:
        found: Any = claims
        for step in self._claim.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, str):
            yield from found.split()
        elif isinstance(found, list):
            yield from (value for value in found if isinstance(value, str))
