"""Logging people in with an identity provider: OpenID Connect's authorization code flow with PKCE (RFC 7636)."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from service.access.callers import Caller, RefusedError, UnverifiableError
from service.access.identity_provider import IdentityProvider
from service.access.patience import TIMEOUT, Patience
from service.setting_checks import keys_url

DISCOVERY = "/.well-known/openid-configuration"
MOST_ANSWER = 2**18
T = TypeVar("T")


class Attempt(msgspec.Struct, frozen=True):
    """A log-in that was begun, as the browser keeps it until the provider sends it back.

    `state` ties the way back to this browser, `nonce` the token to this attempt, `verifier` the code to whoever began
    it (PKCE); `wanted` is the page to go to in the end.
    """

    state: str
    nonce: str
    verifier: str
    wanted: str


class Endpoints(msgspec.Struct, frozen=True):
    """What is used of the provider's discovery document (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str


class Tokens(msgspec.Struct, frozen=True):
    """What is used of the answer of the token endpoint."""

    id_token: str


@dataclass(frozen=True)
class Client:
    """How the provider knows the dashboard: its id, its secret or nothing for a public client, what it asks for."""

    id: str
    secret: str = field(repr=False)
    scope: str


class LoginProvider:
    """Sends people to the identity provider and takes them back.

    Parameters
    ----------
    issuer
        Address below which the provider publishes its discovery document.
    tokens
        Checks the provider's tokens, and says what their claims allow.
    client
        How the provider knows us.
    """

    def __init__(self, issuer: str, tokens: IdentityProvider, client: Client) -> None:
        self._issuer, self._tokens, self._client = issuer, tokens, client
        self._patience = Patience()
        self._endpoints: Endpoints | None = None

    def begin(self, wanted: str, callback: str) -> tuple[Attempt, str]:
        """Begin a log-in, and give the address of the provider to send the browser to.

        Parameters
        ----------
        wanted
            The page to go to in the end.
        callback
            Address that the provider sends the browser back to.

        Raises
        ------
        UnverifiableError
            If the provider cannot be reached, or says of itself what it must not.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, wanted)
        challenge = urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=")
        asked = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": callback,
            "scope": self._client.scope,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge.decode(),
            "code_challenge_method": "S256",
        }
        place = self._discover().authorization_endpoint
        return attempt, f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"

    def finish(self, attempt: Attempt, answer: Mapping[str, str], callback: str) -> Caller:
        """Take a browser back that the provider sent, and tell whose it is.

        Parameters
        ----------
        answer
            The query that it came back with.
        callback
            As of `begin`.

        Raises
        ------
        RefusedError
            If the answer is not to this attempt, the provider refused, or its token is not for it.
        UnverifiableError
            If the provider cannot be reached.
        """
        if not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise RefusedError("The log-in was not begun in this browser, or begun anew since; try again")
        if answer.get("iss", self._issuer) != self._issuer:  # RFC 9207: another provider's answer, mixed in
            raise RefusedError("The answer is another identity provider's")
        if "code" not in answer:
            raise RefusedError("The identity provider did not let you in")
        claims = self._tokens.claims(self._redeem(answer["code"], attempt.verifier, callback), self._client.id)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), attempt.nonce.encode()):
            raise RefusedError("The token was made for another log-in")
        if claims.get("azp", self._client.id) != self._client.id:  # OpenID Connect Core 1.0, 3.1.3.7
            raise RefusedError("The token was made for another client")
        return self._tokens.caller_of(claims)

    def _discover(self) -> Endpoints:
        if self._endpoints is None:
            found = self._ask("GET", self._issuer.rstrip("/") + DISCOVERY, Endpoints)
            if found is None or found.issuer != self._issuer or any(map(keys_url, msgspec.structs.astuple(found)[1:])):
                raise UnverifiableError("The identity provider does not say where to log in")
            self._endpoints = found
        return self._endpoints

    def _redeem(self, code: str, verifier: str, callback: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": verifier,
            "client_id": self._client.id,
        }
        if self._client.secret:
            form["client_secret"] = self._client.secret
        tokens = self._ask("POST", self._discover().token_endpoint, Tokens, fields=form, encode_multipart=False)
        if tokens is None:
            raise RefusedError("The identity provider does not accept the log-in's code; try again")
        return tokens.id_token

    def _ask(self, method: str, url: str, kind: type[T], **form: Any) -> T | None:  # noqa: ANN401 -- what urllib3 takes
        """Ask for JSON without following redirections; None if the provider refuses."""
        with (
            self._patience.asking(HTTPError),
            urllib3.PoolManager(retries=False, timeout=TIMEOUT) as pool,
            pool.request(method, url, redirect=False, preload_content=False, **form) as answer,
        ):
            if 400 <= answer.status < 500:  # noqa: PLR2004 -- the statuses that mean a refusal
                return None
            return msgspec.json.decode(answer.read(MOST_ANSWER), type=kind)
