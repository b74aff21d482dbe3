"""What is kept of a changing call."""

from datetime import datetime

import msgspec


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, rename={"origin": "from"}):
    """A changing call.

    `who` is a caller's name (`key:` and a prefix, `oidc:` and a subject, `anyone`), `from` the address that it came
    from, `operation` and `target` what was to be done and to what, `outcome` the HTTP status of the answer.
    """

    at: datetime
    who: str
    origin: str
    operation: str
    target: str
    outcome: int
    id: int = 0
