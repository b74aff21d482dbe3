"""Types of the API's requests and answers; the OpenAPI document is generated from them."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from models.incidents import Alert
from models.proposals import Proposal
from models.scores import Score, Severity
from service.access.audit import AuditRecord
from service.api.problems import Problem
from service.feedback import Change, Ruling, Verdict

MAX_ITEMS = 10_000
LARGEST = 1e15

Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset, such as 2026-09-14T09:20:00Z.")]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
Item = Annotated[str, Meta(min_length=1, max_length=4096)]
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


MAX_NAMED = 100
Person = Annotated[str, Meta(min_length=1, max_length=256, description="Who says so.")]
Note = Annotated[str, Meta(max_length=2048)]
Named = Annotated[list[Name], Meta(max_length=MAX_NAMED)]


class ChangeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A change to announce; what it names is explained, and nothing else."""

    workload: Annotated[Name, Meta(description="Name of a workload; `*` stands for any text.")]
    until: Annotated[Moment, Meta(description="When the announcement expires.")]
    by: Person
    since: Annotated[Moment | None, Meta(description="From when on; now by default.")] = msgspec.field(
        name="from", default=None
    )
    image: Annotated[Name | None, Meta(description="Image that is rolled out: repository, with tag or digest.")] = None
    fields: Annotated[
        Named,
        Meta(description="Settings that change: `Memory`, or `EnvKey=MODE` for a variable."),
    ] = []
    destinations: Annotated[Named, Meta(description="New destinations: `host` or `host:port`.")] = []
    link: Annotated[Note, Meta(description="Where to read more.")] = ""


class FeedbackQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which statements to list."""

    at: Annotated[Moment | None, Meta(description="Only those that have not expired by then.")] = None


class ChangeList(msgspec.Struct, frozen=True, kw_only=True):
    """Announced changes."""

    changes: list[Change]


class VerdictRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of an incident."""

    verdict: Ruling
    by: Person
    note: Note = ""
    until: Annotated[Moment | None, Meta(description="When the verdict expires; after 90 days by default.")] = None
    severity: Annotated[
        Literal["low", "medium", "high", "critical"], Meta(description="As the alerts were listed with.")
    ] = "high"
    siblings: Annotated[bool, Meta(description="Hold for workloads of the same image in the same cohort too.")] = True


class VerdictList(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts."""

    verdicts: list[Verdict]


class ProposalQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts to propose."""

    limit: Annotated[int, Meta(ge=1, le=100, description="Proposals in the answer.")] = 5


class ProposalList(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts to give a verdict on, the most helpful first."""

    proposals: list[Proposal]


class WorkloadSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A workload and how strange its stored windows are."""

    workload: str
    windows: int
    last_window: str
    strongest_bits: float


class WorkloadQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which windows to summarise."""

    since: Annotated[Moment | None, Meta(description="Only windows that start at or after this time.")] = None


class WorkloadList(msgspec.Struct, frozen=True, kw_only=True):
    """Workloads with stored scores, the strangest first."""

    workloads: list[WorkloadSummary]


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What is normal for a workload, as the model learnt it."""

    workload: str
    model: str
    baseline: dict[str, Any]


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Models, the newest first, and which of them answers."""

    champion: str | None
    models: list[dict[str, Any]]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model: its manifest tells features, training span, parameters, metrics and the hash of each file."""

    version: str
    champion: bool
    manifest: dict[str, Any]


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """The model that now answers, and the one before it."""

    champion: str
    before: str | None


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which records to list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="Records on a page.")] = 100
    before: Annotated[Annotated[int, Meta(ge=1, le=2**53)] | None, Meta(description="`next` of the page before.")] = (
        None
    )


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records; `next` is null on the last."""

    records: list[AuditRecord]
    next: int | None


class FeatureInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Declaration of one feature."""

    name: str
    kind: Literal["count", "magnitude", "items"]
    unit: str
    meaning: str
    technique: str


class FeatureList(msgspec.Struct, frozen=True, kw_only=True):
    """Every feature that a window may carry."""

    features: list[FeatureInfo]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the service can do its work, check by check."""

    status: Literal["ok", "ready"]
    checks: dict[str, str]


def utc(moment: datetime | None) -> datetime | None:
    """Bring a time to UTC."""
    return None if moment is None else moment.astimezone(UTC)
