"""Scores: of what a client sends, and those stored."""

from typing import Any, TypeVar

import msgspec

from models.detector import Detector
from models.scores import Score
from service.api.champion import champion
from service.api.decoding import decode, read_body, read_query
from service.api.operations import Resource
from service.api.problems import ProblemError, problem, refuse
from service.api.schemas import (
    LooseScoreRequest,
    Refused,
    ScoreAnswer,
    ScorePage,
    ScoreQuery,
    ScoreRequest,
    Window,
    utc,
)
from service.api.schemas.problems import Fault, Problem
from service.api.windows import score_windows
from service.jobs.score import score_records
from service.metrics import REFUSED, SCORED
from service.state import state
from service.storage import CursorError
from service.wiring import Home

T = TypeVar("T")
resource = Resource("scores")
Numbered = list[tuple[int, T]]


@resource.operation(
    "POST",
    "/v1/scores",
    scope="score",
    largest=None,
    answer=ScoreAnswer,
    body=ScoreRequest,
    problems=(413, 415, 422, 503),
    examples={
        "body": {
            "windows": [
                {
                    "workload": "docker:shop/api",
                    "window_start": "2026-09-14T09:20:00Z",
                    "features": {"network.connections": 60, "network.new_edge": ["203.0.113.66:4444"]},
                }
            ]
        }
    },
)
def score() -> ScoreAnswer:
    """Score windows of features, or raw events, at once.

    Nothing is stored. An item that cannot be scored has an `error` in place of its score and does not harm the
    others; only when no item at all can be read is the whole request refused.
    """
    windows, events, host, refused = _read(read_body())
    detector = champion()
    home = state().home
    scored, unfit = score_windows(detector, windows, home.feedback.expectations())
    found, unread = _score_events(detector, events, host, home)
    refused |= {f"#/windows/{number}": reason for number, reason in unfit.items()}
    refused |= {f"#/events/{number}": reason for number, reason in unread.items()}
    answers = _in_order(scored, found, refused)
    if refused and len(refused) == len(answers):
        raise refuse(422, "No item of the request can be scored.", errors=_faults(refused))
    for one in answers:
        if isinstance(one, Score):
            SCORED.labels(one.severity).inc()
    REFUSED.inc(len(refused))
    return ScoreAnswer(scores=answers, model=detector.version)


@resource.operation(
    "GET",
    "/v1/scores",
    scope="read",
    answer=ScorePage,
    query=ScoreQuery,
    problems=(422,),
    examples={
        "workload": "docker:shop/api",
        "since": "2026-09-13T00:00:00Z",
        "severity": "high",
        "order": "bits",
        "limit": 10,
    },
)
def list_scores() -> ScorePage:
    """List stored scores, page by page."""
    query = read_query(ScoreQuery)
    try:
        scores, cursor = state().home.store.query(
            workload=query.workload,
            since=utc(query.since),
            until=utc(query.until),
            severity=query.severity,
            host=query.host,
            technique=query.technique,
            order=query.order,
            limit=query.limit,
            cursor=query.cursor,
        )
    except CursorError as error:
        raise refuse(422, str(error)) from None
    return ScorePage(scores=scores, next=cursor)


def _score_events(
    detector: Detector, events: Numbered[dict[str, Any]], host: str | None, home: Home
) -> tuple[list[Score], dict[int, Problem]]:
    """Score the windows that raw records lie in; give the problems of those that no source can read as well."""
    if not events:
        return [], {}
    scores, unread = score_records(
        detector,
        [record for _, record in events],
        host=host,
        settings=home.settings,
        expected=home.feedback.expectations(),
    )
    return scores, {events[place][0]: problem(422, reason) for place, reason in unread}


def _read(raw: bytes) -> tuple[Numbered[Window], Numbered[dict[str, Any]], str | None, dict[str, Problem]]:
    """Read the request at once; if that fails, item by item."""
    try:
        request = decode(raw, ScoreRequest)
    except ProblemError as error:
        if error.problem.status != 422:  # noqa: PLR2004 -- an HTTP status
            raise
        loose = decode(raw, LooseScoreRequest)
        refused: dict[str, Problem] = {}
        windows = _each(loose.windows, Window, "#/windows", refused)
        events = _each(loose.events, dict[str, Any], "#/events", refused)
        if not windows and not events:
            raise
        return windows, events, loose.host, refused
    return list(enumerate(request.windows)), list(enumerate(request.events)), request.host, {}


def _each(items: list[msgspec.Raw], kind: type[T], place: str, refused: dict[str, Problem]) -> Numbered[T]:
    found = []
    for number, item in enumerate(items):
        try:
            found.append((number, decode(item, kind, f"{place}/{number}")))
        except ProblemError as error:
            refused[f"{place}/{number}"] = error.problem
    return found


def _in_order(scored: dict[int, Score], found: list[Score], refused: dict[str, Problem]) -> list[Score | Refused]:
    windows: dict[int, Score | Refused] = dict(scored)
    events: list[Score | Refused] = []
    for place, reason in refused.items():
        _, kind, number = place.split("/")
        shown = Refused(error=msgspec.structs.replace(reason, errors=reason.errors or _faults({place: reason})))
        if kind == "windows":
            windows[int(number)] = shown
        else:
            events.append(shown)
    return [*(windows[number] for number in sorted(windows)), *found, *events]


def _faults(refused: dict[str, Problem]) -> list[Fault]:
    return [
        fault for place, why in refused.items() for fault in why.errors or [Fault(detail=why.detail, pointer=place)]
    ]
