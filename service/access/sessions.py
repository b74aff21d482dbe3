"""Sessions of people who logged in with a key: a signed cookie, and a token that forms carry back."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from itsdangerous import BadData, Signer, URLSafeTimedSerializer

COOKIE = "wharfinger_session"


class Session(msgspec.Struct, frozen=True):
    """Whose key began a session, and what makes it another than the holder's other ones."""

    prefix: str
    nonce: str


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

    def begin(self, prefix: str) -> str:
        """Give the value of the cookie of a new session of the key with this prefix."""
        return self._serializer.dumps([prefix, secrets.token_urlsafe(16)])

    def read(self, cookie: str) -> Session | None:
        """Read a cookie; None if it was not signed here or is too old."""
        try:
            return Session(*self._serializer.loads(cookie, max_age=int(self.lifetime.total_seconds())))
        except BadData:
            return None

    def form_token(self, session: Session) -> str:
        """Give the token that forms of the session carry: no other site can know it."""
        return self._signer.get_signature(session.nonce).decode()

    def is_form_token(self, session: Session, shown: str) -> bool:
        """Tell whether a form carries the session's token; the comparison takes the same time wherever it fails."""
        return self._signer.verify_signature(session.nonce, shown)

    @property
    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt="session", signer_kwargs={"digest_method": hashlib.sha256})

    @property
    def _signer(self) -> Signer:
        return Signer(self.secret, salt="form", digest_method=hashlib.sha256)
