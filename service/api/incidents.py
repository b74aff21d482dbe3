"""Incidents: runs of strange windows, as an analyst counts them."""

from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas import utc
from service.api.schemas.incidents import IncidentPage, IncidentQuery, IncidentsQuery, Story, StrangeWindow
from service.jobs.incidents import UnknownIncidentError, find, page, read
from service.selection import Selection
from service.state import state
from service.statements import Verdict
from service.storage import CursorError

resource = Resource("incidents")


@resource.operation(
    "GET",
    "/v1/incidents",
    scope="read",
    answer=IncidentPage,
    query=IncidentsQuery,
    problems=(422,),
    examples={"technique": "T1571", "severity": "medium", "limit": 10},
)
def list_incidents() -> IncidentPage:
    """List incidents, page by page.

    Strange windows of one workload less than six hours apart are one incident. It is given in full, also where only
    some of its windows are what was asked for.
    """
    query = read_query(IncidentsQuery)
    selection = Selection(
        workload=query.workload,
        since=utc(query.since),
        until=utc(query.until),
        host=query.host,
        technique=query.technique,
    )
    try:
        found, cursor = page(
            state().home.database, selection, query.severity, order=query.order, limit=query.limit, cursor=query.cursor
        )
    except CursorError as error:
        raise refuse(422, str(error)) from None
    return IncidentPage(incidents=found, next=cursor)


@resource.operation(
    "GET",
    "/v1/incidents/<path:incident>",
    scope="read",
    answer=Story,
    query=IncidentQuery,
    problems=(422,),
    examples={"incident": "2026-09-13T02:00:00Z/docker:shop/api"},
)
def get_incident(incident: str) -> Story:
    """Show an incident.

    Its `id` may be given as it is, with its `:` and `/`, or percent-encoded. The start of any of its windows in the
    place of the first leads to it too.
    """
    home, at_least = state().home, read_query(IncidentQuery).severity
    try:
        found = find(home.database, incident, at_least=at_least)
        told = read(home.database, found)
    except UnknownIncidentError as error:
        raise refuse(404, f"{error}; GET /v1/incidents lists those there are.") from None
    windows = [
        StrangeWindow(window_start=cell.window_start, bits=cell.bits, severity=cell.severity) for cell in found.cells
    ]
    verdicts = [one for one in home.feedback.statements(Verdict) if one.meets(found.workload, found.start, found.end)]
    return Story(incident=told, windows=windows, verdicts=verdicts)
