"""Signed webhook: the message as JSON, in one of the formats, with a signature that its receiver can check."""

import hashlib
import hmac
from datetime import datetime

from service.outputs.credentials import one_of, read_secret
from service.outputs.formats import Format, encode
from service.outputs.notices import Notice
from service.outputs.output import Surroundings
from service.outputs.posting import HttpOutput

SIGNATURE = "Wharfinger-Signature"


class Webhook(HttpOutput, frozen=True, kw_only=True, tag="webhook"):
    """Posts messages to an address of the operator's.

    `secret_env` or `secret_file` hold the key of the signature; without one, `authorization_*` must say who posts.
    """

    format: Format = "wharfinger"
    secret_env: str | None = None
    secret_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be posted to, and what nobody could tell from a forgery."""
        super().__post_init__()
        one_of(self.secret_env, self.secret_file, "secret")
        if not (self.secret_env or self.secret_file or self.authorization_env or self.authorization_file):
            raise ValueError("a webhook needs secret_env or secret_file, or authorization_env or authorization_file")

    def send(self, notice: Notice, surroundings: Surroundings) -> None:
        """Post the message; its id is the idempotency key."""
        body = encode(notice, self.format)
        headers = {"Idempotency-Key": notice.id}
        secret = read_secret(self.secret_env, self.secret_file, surroundings.environ)
        if secret is not None:
            headers[SIGNATURE] = sign(body, secret, surroundings.now)
        self.post(body, headers, surroundings, hidden=[] if secret is None else [secret])


def sign(body: bytes, secret: str, now: datetime) -> str:
    """Make the value of the header: `t=`, the time in seconds since 1970, and `v1=`, HMAC-SHA256 of time, dot and body.

    Examples
    --------
    >>> from datetime import UTC
    >>> sign(b"{}", "key", datetime(2026, 9, 14, tzinfo=UTC))[:27]
    't=1789344000,v1=2428f32ad84'
    """
    moment = int(now.timestamp())
    digest = hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
