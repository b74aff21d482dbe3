"""Sessions of people who logged in: signed cookies, and a token that forms carry back."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from itsdangerous import BadData, Signer, URLSafeTimedSerializer

from service.access.callers import Scope
from service.access.login_provider import Attempt

COOKIE = "wharfinger_session"
ATTEMPT = "wharfinger_login"
ATTEMPT_SECONDS = 600


class Session(msgspec.Struct, frozen=True):
    """Who began a session, as `Caller.name`, and what makes it another than theirs.

    `scopes` are those that the identity provider gave; those of a key are looked up in it.
    """

    name: str
    nonce: str
    scopes: tuple[Scope, ...] = ()


@dataclass(frozen=True)
class Sessions:
    """Begins sessions and reads them back; nothing of them is stored.

    Parameters
    ----------
    secret
        What signs them.
    lifetime
        How long one lasts.
    """

    secret: bytes
    lifetime: timedelta

    def begin(self, name: str, scopes: Collection[Scope] = ()) -> str:
        """Give the value of the cookie of a new session; see `Session`."""
        return self._serializer.dumps([name, secrets.token_urlsafe(16), sorted(scopes)])

    def read(self, cookie: str) -> Session | None:
        """Read a cookie; None if it was not signed here or is too old."""
        try:
            told = self._serializer.loads(cookie, max_age=int(self.lifetime.total_seconds()))
            return msgspec.convert(dict(zip(Session.__struct_fields__, told, strict=False)), Session)
        except (BadData, msgspec.ValidationError):
            return None

    def keep_attempt(self, attempt: Attempt) -> str:
        """Give the value of the cookie that keeps a log-in until the identity provider sends the browser back."""
        return self._attempts.dumps(msgspec.to_builtins(attempt))

    def attempt(self, cookie: str) -> Attempt | None:
        """Read the cookie of a log-in; None if it was not signed here or is too old."""
        try:
            return msgspec.convert(self._attempts.loads(cookie, max_age=ATTEMPT_SECONDS), Attempt)
        except (BadData, msgspec.ValidationError):
            return None

    def form_token(self, session: Session) -> str:
        """Give the token that forms of the session carry: no other site can know it."""
        return self._signer.get_signature(session.nonce).decode()

    def is_form_token(self, session: Session, shown: str) -> bool:
        """Tell whether a form carries the session's token; the comparison takes the same time wherever it fails."""
        return self._signer.verify_signature(session.nonce, shown)

    @property
    def _serializer(self) -> URLSafeTimedSerializer:
        return self._signed("session")

    @property
    def _attempts(self) -> URLSafeTimedSerializer:
        return self._signed("login")

    def _signed(self, salt: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt=salt, signer_kwargs={"digest_method": hashlib.sha256})

    @property
    def _signer(self) -> Signer:
        return Signer(self.secret, salt="form", digest_method=hashlib.sha256)
