"""What scenarios reach on an operator's own telemetry with a model of theirs, and the report's file."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from models.scores import SEVERITIES, Score, Severity
from service.emulation.labels import Attack
from service.emulation.scenario import Variant, library
from service.validation.judge import GRACE as GRACE_SECONDS

JSON = "rehearsal.json"
GRACE = timedelta(seconds=GRACE_SECONDS)


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What a model made of one scenario.

    Parameters
    ----------
    scenario, name, variant
        What was played, and how loud.
    workload
        Whose window is the strongest that the scenario made; without one, who suffered it.
    severity, bits, why
        Of that window, with the sentence of its first reason; `none`, 0 and empty without one.
    quiet_bits
        Of the strongest window that the workload had in the span without the scenario.
    delay
        Minutes from the scenario's begin to the end of the first window of severity high; none without one.
    """

    scenario: str
    name: str
    variant: Variant
    workload: str
    severity: Severity
    bits: float
    quiet_bits: float
    delay: float | None
    why: str


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """What a model made of the scenarios.

    Parameters
    ----------
    model
        Its version.
    since, until
        Span of the lake that the scenarios were played into, ISO times in UTC.
    learnt
        Whether the model has learnt from a part of the span: its own quiet windows then look quieter than they were.
    alerts
        Real alerts of severity high or above in the span.
    workloads
        Who ran when the span began, and so could be a victim.
    unseen
        Telemetry that the scenarios left and the lake has none of (`dns`, `docker_inspect`); it was left out.
    scenarios
        What was played, by scenario.
    unplayed
        What was not, and why.
    """

    model: str
    since: str
    until: str
    learnt: bool
    alerts: int
    workloads: int
    unseen: tuple[str, ...]
    scenarios: tuple[Rehearsed, ...]
    unplayed: tuple[str, ...]

    def to_json(self) -> bytes:
        """Write the report as the stored file is."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class ByWorkload:
    """Scores by workload, whose names the ground truth may write in another case."""

    def __init__(self, scores: Iterable[Score]) -> None:
        self._own: dict[str, list[Score]] = defaultdict(list)
        for score in scores:
            self._own[score.workload.lower()].append(score)

    def of(self, workload: str) -> list[Score]:
        """List the scores of a workload."""
        return self._own.get(workload.lower(), [])


def judged(attack: Attack, scores: ByWorkload, quiet: ByWorkload) -> Rehearsed | None:
    """Tell what a model made of a scenario, from the scores with it and those of the same span without it.

    A window that was strange without it counts only where it became more severe: its alert would be there anyway.
    None where such an alert is the strongest of the scenario's time, for nobody can tell what is hidden behind it.
    """
    begin, end = _time(attack.start), _time(attack.end) + GRACE
    during: list[Score] = []
    made: list[Score] = []
    for workload in attack.workloads:
        before = {score.window_start: SEVERITIES.index(score.severity) for score in quiet.of(workload)}
        own = [s for s in scores.of(workload) if _time(s.window_start) < end and begin < _time(s.window_end)]
        during += own
        made += (
            score
            for score in own
            if not (was := before.get(score.window_start, 0)) or SEVERITIES.index(score.severity) > was
        )
    strongest = min(made, key=lambda score: (-score.bits, score.window_start), default=None)
    if during and (strongest is None or max(score.bits for score in during) > strongest.bits):
        return None
    alarming = [score.window_end for score in made if SEVERITIES.index(score.severity) >= SEVERITIES.index("high")]
    workload = strongest.workload if strongest else attack.workload
    return Rehearsed(
        scenario=attack.scenario,
        name=library()[attack.scenario].name,
        variant=attack.variant,
        workload=workload,
        severity=strongest.severity if strongest else "none",
        bits=round(strongest.bits, 2) if strongest else 0.0,
        quiet_bits=round(max((score.bits for score in quiet.of(workload)), default=0.0), 2),
        delay=round((_time(min(alarming)) - begin).total_seconds() / 60, 1) if alarming else None,
        why=strongest.reasons[0].text if strongest and strongest.reasons else "",
    )


def name_of(report: Rehearsal) -> str:
    """Name a report after its content: the same findings, the same name."""
    return f"own-{hashlib.sha256(report.to_json()).hexdigest()[:12]}"


def store(report: Rehearsal, folder: Path) -> Path:
    """Write a report into a folder, which is made, and return the file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / JSON
    file.write_bytes(report.to_json())
    return file


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
