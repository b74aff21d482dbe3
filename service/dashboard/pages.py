"""The pages: the fleet, and one workload."""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, Response, render_template, request, url_for
from msgspec import Meta
from werkzeug.exceptions import HTTPException, NotFound, UnprocessableEntity

from features.protocols import FAMILIES
from features.windows import WINDOW
from models.scores import SEVERITIES, Score, Severity
from service.dashboard.pictures import Axis, height, label, share, strips
from service.jobs.incidents import page
from service.selection import Selection
from service.state import state
from service.storage import CursorError

SHOWN_WORKLOADS = 24
PAGE = 50
PAGE_OF_ONE = 20
ALERTING: Severity = "high"  # from which incidents are listed where nobody says

blueprint = Blueprint("dashboard", __name__, template_folder="templates", static_folder="static")


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a page's address asks for."""

    workload: str = ""
    severity: Severity = "none"
    order: Literal["bits", "time"] = "bits"
    hours: Annotated[int, Meta(ge=1, le=24 * 366)] = 24
    cursor: str | None = None
    at: datetime | None = None

    @classmethod
    def of_request(cls) -> "Filters":
        """Read the query string; an empty value is as none given."""
        try:
            return msgspec.convert({k: v for k, v in request.args.items() if v}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise UnprocessableEntity(f"The address asks for something there is not: {error}.") from None


@blueprint.get("/")
def fleet() -> Response:
    """Show the incidents of the fleet: a row for each story, however many windows it lasted."""
    filters = Filters.of_request()
    home = state().home
    store = home.store
    span = store.span()
    named = filters.workload or None
    at_least = ALERTING if filters.severity == "none" else filters.severity
    try:
        incidents, cursor = page(
            home.database, Selection(named), at_least, order=filters.order, limit=PAGE, cursor=filters.cursor
        )
    except CursorError as error:
        raise UnprocessableEntity(str(error)) from None
    axis, rows, known = None, [], []
    if span is not None:
        axis = Axis.over(span[0], span[1] + WINDOW, filters.hours)
        known = [named] if named else [row["workload"] for row in store.workloads(since=axis.start)]
        rows = strips(store.cells(workloads=known[:SHOWN_WORKLOADS], since=axis.start), axis)
    return _page(
        "fleet.html",
        filters=filters,
        at_least=at_least,
        span=span,
        incidents=incidents,
        more=_next(url_for(".fleet"), cursor),
        axis=axis,
        rows=rows,
        hidden=len(known[SHOWN_WORKLOADS:]),
        names=store.names(),
    )


@blueprint.get("/workloads/<path:workload>")
def one_workload(workload: str) -> Response:
    """Show one workload: its scores over time, why they are strange, and what is normal for it."""
    filters = Filters.of_request()
    store = state().home.store
    detector = state().model.get()
    cells = store.cells(workloads=[workload])
    baseline = detector.baseline(workload) if detector else None
    if not cells and baseline is None:
        raise NotFound(f"Nothing is known of the workload {workload}.")
    axis, marks = None, []
    if cells:
        until = cells[-1].window_start + WINDOW
        axis = Axis.over(cells[0].window_start, until, filters.hours)
        drawn = strips((cell for cell in cells if cell.window_start >= axis.start), axis)
        marks = drawn[0].marks
    scores, cursor = _scores_of(workload, filters)
    return _page(
        "workload.html",
        filters=filters,
        workload=workload,
        axis=axis,
        marks=marks,
        chosen=_chosen(workload, filters.at),
        scores=scores,
        more=_next(url_for(".one_workload", workload=workload), cursor),
        baseline=baseline,
    )


@blueprint.errorhandler(HTTPException)
def failed(error: HTTPException) -> tuple[str, int]:
    """Show an error as a page."""
    return render_template("error.html", error=error), error.code or 500


def _scores_of(workload: str, filters: Filters) -> tuple[list[Score], str | None]:
    severity = None if filters.severity == "none" else filters.severity
    try:
        return state().home.store.query(
            workload=workload, severity=severity, order=filters.order, limit=PAGE_OF_ONE, cursor=filters.cursor
        )
    except CursorError as error:
        raise UnprocessableEntity(str(error)) from None


def _next(address: str, cursor: str | None) -> str | None:
    """Address of the next page with the same filters, or None after the last."""
    return None if cursor is None else f"{address}?{urlencode({**request.args.to_dict(), 'cursor': cursor})}"


def _chosen(workload: str, at: datetime | None) -> Score | None:
    if at is None:
        return None
    score = state().home.store.get(workload, at)
    if score is None:
        raise NotFound(f"No window of {workload} that starts at {at:%Y-%m-%d %H:%M} is stored.")
    return score


def _page(template: str, **parts: Any) -> Response:  # noqa: ANN401 -- what a template takes
    here = state()
    detector = here.model.get()
    return Response(
        render_template(
            template,
            model=detector.version if detector else None,
            problem=here.model.problem,
            families=FAMILIES,
            severities=SEVERITIES,
            share=share,
            height=height,
            label=label,
            clock=clock,
            **parts,
        )
    )


def clock(moment: str) -> str:
    """Show an RFC 3339 time for people: `2026-09-14 09:20`."""
    return moment[:16].replace("T", " ")
