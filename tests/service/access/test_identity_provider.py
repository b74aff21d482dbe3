"""Tokens against an issuer that publishes its keys over HTTP, as a real one does."""

import base64
import hmac
import http.server
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from service.access.callers import RefusedError, UnverifiableError
from service.access.gate import provider_of
from service.access.identity_provider import IdentityProvider
from service.app import create_app
from service.settings import Settings, SettingsError
from tests.service.access.issuer import AUDIENCE, KEY, OTHER, Answer, Issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer().running() as server:
        yield server


def public_pem(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def signed_with_the_public_key(token: str) -> str:
    """Sign a token's claims with HMAC, the issuer's public key being the secret: what some verifiers fall for."""

    def packed(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    start = f"{packed(json.dumps({'alg': 'HS256', 'kid': 'k1', 'typ': 'JWT'}).encode())}.{token.split('.')[1]}"
    return f"{start}.{packed(hmac.digest(public_pem(KEY), start.encode(), 'sha256'))}"


def test_a_token_of_the_issuer_is_accepted(issuer: Issuer) -> None:
    """A token that the issuer signed for this service gives its subject's scopes; the keys are fetched once."""
    provider = issuer.provider()
    for _ in range(3):
        caller = provider.caller(issuer.token(scope="openid wharfinger:read wharfinger:operate wharfinger:root"))
        assert (caller.name, caller.scopes) == ("oidc:ada", {"read", "operate"})

    assert issuer.asked == 1


@pytest.mark.parametrize(
    ("claims", "found"),
    [
        ({"realm_access": {"roles": ["soc", "guests", "other", 7]}}, {"read", "operate"}),
        ({"realm_access": {"roles": "guests"}}, {"read"}),
        ({"realm_access": {"roles": {"soc": True}}}, set()),
        ({"realm_access": ["soc"]}, set()),
        ({}, set()),
    ],
)
def test_values_of_a_claim_are_mapped(issuer: Issuer, claims: dict[str, Any], found: set[str]) -> None:
    """A claim within claims, a list or a text, gives the scopes that its values stand for, and nothing else does."""
    roles = {"guests": "read", "soc": "operate"}
    provider = issuer.provider(claim="realm_access.roles", scopes=roles)

    assert provider.caller(issuer.token(**claims)).scopes == found


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"nbf": int(time.time()) + 600},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another-service"},
        {"aud": None},
        {"sub": None},
        {"key": OTHER},
        {"key": OTHER, "kid": "k2"},
        {"kid": None},
        {"key": "x" * 64, "algorithm": "HS256"},
        {"key": None, "algorithm": "none"},
        {"key": ec.generate_private_key(ec.SECP256R1()), "algorithm": "ES256"},
        {"algorithm": "RS512"},
    ],
    ids=str,
)
def test_any_other_token_is_refused(issuer: Issuer, claims: dict[str, Any]) -> None:
    """Expired, for others, by others, unsigned, signed with another key or algorithm: all are refused."""
    token = issuer.token(**claims)

    with pytest.raises(RefusedError) as caught:
        issuer.provider().caller(token)

    assert token not in str(caught.value)


def test_the_public_key_is_no_secret(issuer: Issuer) -> None:
    """A token whose HMAC was made with the issuer's public key is refused."""
    with pytest.raises(RefusedError):
        issuer.provider().caller(signed_with_the_public_key(issuer.token()))


def test_a_damaged_token_is_refused(issuer: Issuer) -> None:
    """A token that was changed, or is none, is refused."""
    token, provider = issuer.token(), issuer.provider()
    for shown in (token[:-4] + "AAAA", token.replace(".", "", 1), "", "a.b.c"):
        with pytest.raises(RefusedError):
            provider.caller(shown)


def test_an_issuer_that_is_gone_is_told_and_left_alone(issuer: Issuer) -> None:
    """Without keys nothing is accepted; that it cannot be checked is told, and not tried anew for each request."""
    token = issuer.token()
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as closed:
        gone = f"http://127.0.0.1:{closed.server_port}/keys"
    provider = IdentityProvider(issuer.name, AUDIENCE, gone)
    for _ in range(2):
        with pytest.raises(UnverifiableError):
            provider.caller(token)


def test_settings_of_the_provider_are_checked(settings_at: Any) -> None:
    """Half a configuration, an unknown scope, or keys over plain HTTP from elsewhere are told in one line."""
    whole = {"oidc_issuer": "https://id.example", "oidc_audience": "w", "oidc_jwks_url": "https://id.example/keys"}
    assert provider_of(settings_at()) is None
    assert provider_of(settings_at(**whole, oidc_scopes="soc=operate,group:guests=read")) is not None
    with pytest.raises(SettingsError, match="belong together"):
        provider_of(settings_at(oidc_issuer="https://id.example"))
    with pytest.raises(SettingsError, match="VALUE=SCOPE"):
        provider_of(settings_at(**whole, oidc_scopes="soc=root"))
    with pytest.raises(SettingsError, match="https"):
        settings_at(oidc_jwks_url="http://id.example/keys")


def test_a_token_opens_the_service(issuer: Issuer, settings_at: Any) -> None:
    """With an identity provider alone the service is closed, and opens to a token's scopes."""
    settings: Settings = settings_at(
        oidc_issuer=issuer.name, oidc_audience=AUDIENCE, oidc_jwks_url=f"{issuer.name}/keys"
    )
    client = create_app(settings).test_client()
    bearer = {"Authorization": f"Bearer {issuer.token()}"}

    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers=bearer).status_code == 200
    assert client.get("/v1/audit", headers=bearer).status_code == 403
    issuer.shutdown()
    issuer.server_close()
    later = create_app(settings).test_client().get("/v1/models", headers=bearer)
    assert (later.status_code, later.headers["Retry-After"]) == (503, "10")
