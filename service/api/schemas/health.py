"""Types of health and readiness."""

from typing import Literal

import msgspec


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the service can do its work, check by check."""

    status: Literal["ok", "ready"]
    checks: dict[str, str]
