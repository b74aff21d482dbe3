"""Incidents: runs of strange windows, as an analyst counts them."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.scores import Severity
from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas import Moment, Name, Technique, utc
from service.feedback import Verdict
from service.jobs.incidents import Incident, UnknownIncidentError, find, page, read
from service.selection import Selection
from service.state import state
from service.storage import CursorError

resource = Resource("incidents")
Strange = Annotated[
    Literal["low", "medium", "high", "critical"], Meta(description="Severity from which a window is strange.")
]


class IncidentsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which incidents to list: those with a strange window that all of it holds for."""

    workload: Annotated[Name | None, Meta(description="Only this workload.")] = None
    since: Annotated[Moment | None, Meta(description="With a window that starts at or after this time.")] = None
    until: Annotated[Moment | None, Meta(description="With a window that starts before this time.")] = None
    severity: Strange = "high"
    host: Annotated[Name | None, Meta(description="With a window in which the workload ran on this host.")] = None
    technique: Annotated[
        Technique | None, Meta(description="With a window that has a reason that points to exactly this technique.")
    ] = None
    order: Annotated[Literal["time", "bits"], Meta(description="Newest first, or strongest first.")] = "bits"
    limit: Annotated[int, Meta(ge=1, le=1000, description="Incidents on a page.")] = 100
    cursor: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="`next` of the page before, with the same other parameters."),
    ] = None


class IncidentQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How the incident was listed."""

    severity: Strange = "high"


class IncidentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of incidents; `next` is the cursor of the following page, null on the last."""

    incidents: list[Incident]
    next: str | None


class StrangeWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One window of an incident; `GET /v1/scores` explains it."""

    window_start: datetime
    bits: float
    severity: Severity


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """An incident, its strange windows in the order of time, and what people said of it."""

    incident: Incident
    windows: list[StrangeWindow]
    verdicts: list[Verdict]


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
    verdicts = [
        one
        for one in home.feedback.statements(Verdict)
        if one.workload == found.workload and one.start < found.end and found.start < one.end
    ]
    return Story(incident=told, windows=windows, verdicts=verdicts)
