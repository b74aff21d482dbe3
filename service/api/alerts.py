"""Alerts: runs of strange windows, as an analyst counts them."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.incidents import Alert, alerts
from models.scores import Score
from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.schemas import Moment, Name, utc
from service.state import state
from service.storage import MAX_LIMIT

MAX_WINDOWS = 20_000
resource = Resource("alerts")


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


@resource.operation("GET", "/v1/alerts", scope="read", answer=AlertList, query=AlertQuery, problems=(422,))
def list_alerts() -> AlertList:
    """List alerts, the strongest first.

    Strange windows of one workload less than six hours apart are one alert. Of more than 20,000 strange windows the
    newest are read; `complete` is then false: narrow the span.
    """
    query = read_query(AlertQuery)
    windows = list(_strange(query))
    found = alerts(windows, at_least=query.severity)
    return AlertList(alerts=found[: query.limit], complete=len(windows) < MAX_WINDOWS and len(found) <= query.limit)


def _strange(query: AlertQuery) -> Iterator[Score]:
    cursor, read = None, 0
    while read < MAX_WINDOWS:
        page, cursor = state().home.store.query(
            workload=query.workload,
            since=utc(query.since),
            until=utc(query.until),
            severity=query.severity,
            limit=MAX_LIMIT,
            cursor=cursor,
        )
        yield from page
        read += len(page)
        if cursor is None:
            return
