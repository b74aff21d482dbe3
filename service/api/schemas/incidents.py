"""Types of incidents."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.incidents import Incident
from models.scores import Severity
from service.api.schemas import Moment, Name, Technique
from service.statements import Verdict

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
