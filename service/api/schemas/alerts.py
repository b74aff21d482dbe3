"""Types of alerts."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.incidents import Alert
from service.api.schemas import Moment, Name


class AlertQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts to list."""

    workload: Annotated[Name | None, Meta(description="Only this workload.")] = None
    since: Annotated[Moment | None, Meta(description="Windows that start at or after this time.")] = None
    until: Annotated[Moment | None, Meta(description="Windows that start before this time.")] = None
    severity: Annotated[
        Literal["low", "medium", "high", "critical"], Meta(description="Severity from which a window is strange.")
    ] = "high"
    limit: Annotated[int, Meta(ge=1, le=1000, description="Alerts in the answer.")] = 100


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts, the strongest first; `complete` is false if there are more."""

    alerts: list[Alert]
    complete: bool
