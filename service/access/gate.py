"""The gate: what callers show, turned into who they are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from service.access.buckets import Buckets
from service.access.callers import SCOPES, Caller, RefusedError, Scope
from service.access.identity_provider import NATIVE, IdentityProvider
from service.access.keyring import Keyring
from service.access.keys import KeyStore
from service.access.login_provider import Client, LoginProvider
from service.access.sessions import Session, Sessions
from service.setting_checks import keys_url
from service.settings import Settings, SettingsError

SLOWEST_LOOK = 2.0  # seconds within which a revoked key opens nothing, whatever the settings say


@dataclass(frozen=True)
class Gate:
    """Who may come in.

    Parameters
    ----------
    closed
        Whether a caller must be known even if there are no keys.
    """

    keyring: Keyring
    sessions: Sessions
    buckets: Buckets
    provider: IdentityProvider | None
    login: LoginProvider | None
    closed: bool

    @property
    def open(self) -> bool:
        """Whether anyone may do anything: there is neither key nor identity provider, and only loopback is reached."""
        return not (self.closed or self.provider or self.keyring.exist())

    def by_token(self, shown: str, *, now: datetime) -> Caller:
        """Tell who shows a key or a token.

        Raises
        ------
        RefusedError
            If it is not accepted.
        UnverifiableError
            If it cannot be checked now.
        """
        if shown.startswith("wf_") or self.provider is None:
            return self.keyring.find(shown, now=now).caller
        return self.provider.caller(shown)

    def by_session(self, session: Session, *, now: datetime) -> Caller:
        """Tell whose session it is.

        Raises
        ------
        RefusedError
            If what began it opens nothing any more: the key, or the log-in with the identity provider.
        """
        kind, _, own = session.name.partition(":")
        if kind == "key":
            return self.keyring.named(own, now=now).caller
        if kind != "oidc" or self.login is None:
            raise RefusedError("Log in again")
        return Caller(session.name, frozenset(session.scopes))


def gate_of(settings: Settings, keys: KeyStore, secret: bytes, *, closed: bool) -> Gate:
    """Put a gate together.

    Parameters
    ----------
    secret
        What signs sessions.
    closed
        See `Gate`.

    Raises
    ------
    SettingsError
        If the settings of the identity provider are incomplete or name a scope that there is not.
    """
    provider = provider_of(settings)
    return Gate(
        keyring=Keyring(keys, min(settings.model_poll_seconds, SLOWEST_LOOK)),
        sessions=Sessions(secret, timedelta(hours=settings.session_hours)),
        buckets=Buckets(settings.requests_per_second, settings.request_burst),
        provider=provider,
        login=login_of(settings, provider),
        closed=closed,
    )


def provider_of(settings: Settings) -> IdentityProvider | None:
    """Make what checks tokens, or None if no identity provider is configured.

    Raises
    ------
    SettingsError
        See `gate_of`.
    """
    needed = (settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks_url)
    if not any(needed):
        return None
    if not all(needed):
        raise SettingsError("oidc_issuer, oidc_audience and oidc_jwks_url belong together; set all three or none")
    scopes = dict(map(_mapped, settings.oidc_scopes)) or NATIVE
    return IdentityProvider(*needed, claim=settings.oidc_scope_claim, scopes=scopes)


def login_of(settings: Settings, provider: IdentityProvider | None) -> LoginProvider | None:
    """Make what logs people in, or None if the identity provider does not know the dashboard.

    Raises
    ------
    SettingsError
        If it is to and there is no provider, its address is not safe, or its secret cannot be read.
    """
    if not settings.oidc_client_id:
        return None
    if provider is None:
        raise SettingsError("oidc_client_id needs oidc_issuer, oidc_audience and oidc_jwks_url as well")
    if complaint := keys_url(settings.oidc_issuer):
        raise SettingsError(f"oidc_issuer is {settings.oidc_issuer!r}: {complaint}")
    client = Client(settings.oidc_client_id, _secret(settings), settings.oidc_login_scope)
    return LoginProvider(settings.oidc_issuer, provider, client)


def _secret(settings: Settings) -> str:
    if not settings.oidc_client_secret_file:
        return settings.oidc_client_secret
    if settings.oidc_client_secret:
        raise SettingsError("give oidc_client_secret or oidc_client_secret_file, not both")
    try:
        return Path(settings.oidc_client_secret_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read oidc_client_secret_file: {error}") from None


def _mapped(pair: str) -> tuple[str, Scope]:
    value, _, wanted = pair.rpartition("=")
    for scope in SCOPES:
        if value and scope == wanted:
            return value, scope
    raise SettingsError(f"oidc_scopes has {pair!r}; give VALUE=SCOPE with a scope of {', '.join(SCOPES)}")
