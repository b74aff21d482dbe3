"""Types that several resources share, and those of scoring; the OpenAPI document is generated from them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from models.scores import Score, Severity
from service.api.schemas.problems import Problem

MAX_ITEMS = 10_000
LARGEST = 1e15

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset, such as 2026-09-14T09:20:00Z.")]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
Item = Annotated[str, Meta(min_length=1, max_length=4096)]
Technique = Annotated[str, Meta(pattern=r"^T\d{4}(\.\d{3})?$")]
Number = Annotated[float, Meta(ge=0, le=LARGEST)]
Count = Annotated[int, Meta(ge=1, le=2**53)]
Feature = Number | list[Item] | dict[Item, Count]


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Features of one window of one workload.

    A count or magnitude is a number. What was met (destinations, registries, configuration fields) is a list, or an
    object from item to how often. Features left out are taken as not measured.
    """

    workload: Name
    window_start: Moment
    features: dict[Name, Feature]
    image_repository: Annotated[
        str | None, Meta(description="What the workload runs; a workload without history is judged by its like.")
    ] = None


class ScoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to score: windows of features, raw telemetry, or both."""

    windows: Annotated[list[Window], Meta(max_length=MAX_ITEMS)] = []
    events: Annotated[
        list[dict[str, Any]],
        Meta(max_length=MAX_ITEMS, description="Raw records of any source, as it writes them, optionally with `host`."),
    ] = []
    host: Annotated[str | None, Meta(description="Host of the events that name none.")] = None


class LooseScoreRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The same request with its items still undecoded, so that each can fail on its own."""

    windows: Annotated[list[msgspec.Raw], Meta(max_length=MAX_ITEMS)] = []
    events: Annotated[list[msgspec.Raw], Meta(max_length=MAX_ITEMS)] = []
    host: str | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Stands in place of the score of an item that could not be scored."""

    error: Problem


class ScoreAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Scores in the order of the windows asked for, then of the windows found in the events, then refused events."""

    scores: Annotated[
        list[Any],  # of Score | Refused: msgspec describes no union of untagged structs
        Meta(
            extra_json_schema={
                "items": {"anyOf": [{"$ref": f"#/components/schemas/{n}"} for n in ("Score", "Refused")]}
            }
        ),
    ]
    model: str


class ScoreQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which stored scores to list."""

    workload: Annotated[Name | None, Meta(description="Only this workload.")] = None
    since: Annotated[Moment | None, Meta(description="Windows that start at or after this time.")] = None
    until: Annotated[Moment | None, Meta(description="Windows that start before this time.")] = None
    severity: Annotated[Severity | None, Meta(description="At least this severe.")] = None
    host: Annotated[Name | None, Meta(description="Only windows of workloads that ran on this host.")] = None
    technique: Annotated[
        Technique | None, Meta(description="Only windows with a reason that points to exactly this technique.")
    ] = None
    order: Annotated[Literal["time", "bits"], Meta(description="Newest first, or strangest first.")] = "time"
    limit: Annotated[int, Meta(ge=1, le=1000, description="Scores on a page.")] = 100
    cursor: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="`next` of the page before, with the same other parameters."),
    ] = None


class ScorePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of stored scores; `next` is the cursor of the following page, null on the last."""

    scores: list[Score]
    next: str | None


MAX_NAMED = 100
Person = Annotated[str, Meta(min_length=1, max_length=256, description="Who says so.")]
Note = Annotated[str, Meta(max_length=2048)]
Named = Annotated[list[Name], Meta(max_length=MAX_NAMED)]


class FeedbackQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which statements to list."""

    at: Annotated[Moment | None, Meta(description="Only those that have not expired by then.")] = None


def utc(moment: datetime | None) -> datetime | None:
    """Bring a time to UTC."""
    return None if moment is None else moment.astimezone(UTC)
