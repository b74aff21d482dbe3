"""The main job on the bundled sample, whose ground truth is known: learn until the split, score what follows, judge."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from features.windows import floor_window
from models.incidents import Alert, alerts
from models.scores import SEVERITIES, Score
from service.jobs.errors import JobError

ALERTING = SEVERITIES.index("high")
# Late in a run of the demo, what an act did still shows in the trailing view; after this long it is another story.
AFTERWARDS = timedelta(minutes=30)
GAP = timedelta(hours=1)


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done on purpose in the sample: an emulated attack, or benign work that looks like one."""

    id: str = ""
    workload: str
    host: str = ""
    start: datetime
    end: datetime
    note: str = ""
    scenario: str = ""
    technique: str = ""
    kind: str = ""
    also: list[str] = []

    @property
    def title(self) -> str:
        """Short name: the scenario with its technique, or the kind of benign work."""
        return f"{self.scenario} {self.technique}" if self.scenario else self.kind

    def shows_in(self, score: Score) -> bool:
        """Say whether a window is of a workload that the act shows in, or of its host, and of its time."""
        mine = score.workload in (self.workload, f"host:{self.host}", *self.also)
        start, end = datetime.fromisoformat(score.window_start), datetime.fromisoformat(score.window_end)
        return mine and start < self.end + AFTERWARDS and self.start < end


@dataclass(frozen=True, slots=True)
class Sample:
    """A capture with its ground truth: benign life alone until `split`, attacks among it afterwards."""

    folder: Path
    files: list[Path]
    split: datetime
    attacks: list[Act]
    lookalikes: list[Act]


@dataclass(frozen=True, slots=True)
class Finding:
    """A run of strange windows and the acts it shows; `attack` is whether an emulated attack is among them."""

    rank: int
    alert: Alert
    titles: list[str]
    attack: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an emulated attack: the strongest window that shows it, if any, and the finding that holds it."""

    act: Act
    strongest: Score | None
    rank: int | None

    @property
    def found(self) -> bool:
        """Whether an analyst would have been alerted."""
        return self.strongest is not None and SEVERITIES.index(self.strongest.severity) >= ALERTING


def bundled_sample() -> Path:
    """Find the sample: inside the installed package, else in the source tree.

    Raises
    ------
    JobError
        If there is none.
    """
    package = Path(__file__).parents[1]
    for root in (package / "samples", package.parent / "data" / "samples"):
        found = sorted(root.rglob("truth.json"), key=lambda path: (len(path.parts), path))
        if found:
            return found[0].parent
    raise JobError("the bundled sample is missing (reinstall wharfinger, or ingest telemetry of your own)")


def load_sample(folder: Path) -> Sample:
    """Read a sample's ground truth.

    Raises
    ------
    JobError
        If a file of it is missing or malformed.
    """
    try:
        attacks = msgspec.json.decode((folder / "truth.json").read_bytes(), type=list[Act])
        benign = folder / "benign.json"
        lookalikes = msgspec.json.decode(benign.read_bytes(), type=list[Act]) if benign.exists() else []
    except (OSError, msgspec.DecodeError) as error:
        raise JobError(f"the sample in {folder} cannot be read: {error} (reinstall wharfinger)") from error
    files = sorted(path for path in folder.iterdir() if path.name.endswith((".gz", ".ndjson", ".log")))
    if not files or not attacks:
        raise JobError(f"the sample in {folder} is incomplete (reinstall wharfinger)")
    return Sample(folder, files, floor_window(min(act.start for act in attacks)), attacks, lookalikes)


def findings(scores: Iterable[Score], sample: Sample) -> list[Finding]:
    """Rank the runs of windows that are at all strange, and name the acts each of them shows."""
    strange = [score for score in scores if score.severity != "none"]
    ranked = []
    for rank, alert in enumerate(alerts(strange, at_least="low", gap=GAP), 1):
        windows = [score for score in strange if _within(score, alert)]
        attacks = _shown(sample.attacks, windows)
        ranked.append(Finding(rank, alert, attacks or _shown(sample.lookalikes, windows), bool(attacks)))
    return ranked


def outcomes(scores: Sequence[Score], sample: Sample, ranked: Sequence[Finding]) -> list[Outcome]:
    """Tell for each emulated attack whether it was found, and at which rank."""
    told = []
    for act in sample.attacks:
        strongest = max((s for s in scores if act.shows_in(s)), key=lambda s: s.bits, default=None)
        rank = next((f.rank for f in ranked if strongest and _within(strongest, f.alert)), None)
        told.append(Outcome(act, strongest, rank))
    return told


def _shown(acts: Iterable[Act], windows: Sequence[Score]) -> list[str]:
    return list(dict.fromkeys(act.title for act in acts if any(act.shows_in(window) for window in windows)))


def _within(score: Score, alert: Alert) -> bool:
    return score.workload == alert.workload and alert.start <= score.window_start < alert.end
