"""Alerts: runs of strange windows, as an analyst counts them."""

from collections.abc import Iterator

from models.incidents import alerts
from models.scores import Score
from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.schemas import utc
from service.api.schemas.alerts import AlertList, AlertQuery
from service.state import state
from service.storage import MAX_LIMIT

MAX_WINDOWS = 20_000
resource = Resource("alerts")


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
