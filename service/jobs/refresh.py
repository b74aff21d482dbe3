"""Learns baselines and a model from the lake, and promotes the model if its gates pass."""

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import structlog

from features.baseline_audit import Difference, compare
from features.extraction import closed_until
from features.window_store import WindowStore
from features.windows import Windows, floor_window
from models.errors import ArtefactError
from models.held_out import days_between
from models.learning_store import LearningStore, State
from models.nightly import train_nightly
from models.quarantine import Attack, Guard
from service.jobs.errors import JobError
from service.jobs.gates import Gate, gates
from service.jobs.locks import only_one
from service.jobs.progress import Progress, silent
from service.jobs.retention import expire_audit, expire_scores
from service.jobs.windows import extract_windows
from service.statements import Verdict
from service.wiring import Home

_log = structlog.get_logger("wharfinger.refresh")
_ISO = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did.

    Parameters
    ----------
    version
        The version that was saved.
    promoted
        Whether it is the champion now; if not, the champion before it stays.
    gates
        What was asked of it, and what was found.
    metrics
        The training report.
    seconds
        Time per step, in the order of the steps.
    audit
        How far what was remembered lay from an exact recompute, if one was asked for and there was anything to compare.
    """

    version: str
    promoted: bool
    gates: list[Gate]
    metrics: dict[str, Any]
    seconds: dict[str, float]
    audit: list[Difference] | None = None


@dataclass(frozen=True)
class _Kept:
    """Kept windows as training reads them."""

    store: WindowStore

    def read(self, since: datetime, until: datetime, *, workloads: Collection[str] | None = None) -> Windows:
        """Read the windows of a span."""
        return self.store.read(since, until, workloads=workloads)

    def parts(self, since: datetime, until: datetime) -> Iterator[Windows]:
        """Read them bucket by bucket."""
        yield from self.store.parts(since, until)

    def fingerprint(self, day: datetime) -> str:
        """Name the content of a day."""
        return self.store.fingerprint(day.date()) if self.store.manifest(day.date()) else ""


class _Stopwatch:
    """Sums the time between changes of step, and passes the progress on."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._step = "leases"
        self._since = time.monotonic()

    def __call__(self, step: str, done: float) -> None:
        now = time.monotonic()
        self.seconds[self._step] = self.seconds.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now
        self._progress(step, done)


def refresh(
    home: Home,
    *,
    until: datetime | None = None,
    days: int | None = None,
    executor: str | None = None,
    scheduler: str | None = None,
    exact: bool = False,
    progress: Progress = silent,
) -> RefreshReport:
    """Learn the days that are new, save a model, promote it if it passes every gate.

    What was extracted and learnt in nights before is remembered, and made anew only where the telemetry that it came
    from has changed. Missed nights are made up for, up to the days of the history. A refresh that is stopped leaves
    the champion as it was, and keeps what it had finished.

    Parameters
    ----------
    home
        Where lake and registry lie.
    until
        Learn from events before this time; None: from all there are.
    days
        Length of the span whose windows are kept at hand; None: the setting `history_days`. What was learnt before it
        stays learnt, decayed.
    executor, scheduler
        Where heavy work runs; None: as the settings say.
    exact
        Forget what was learnt in nights before, learn all windows at hand anew, and say how far that lies apart.
    progress
        Told the step, and the share of it that is done.

    Raises
    ------
    JobError
        If another refresh is at work, or the lake holds nothing before `until`.
    """
    settings = home.settings
    since, until = _span(home, until, days or settings.history_days)
    watch = _Stopwatch(progress)
    with only_one(settings.home / "refresh.lock", "refresh"):
        windows = extract_windows(home, since, until, executor=executor, scheduler=scheduler, progress=watch)
        memory = LearningStore(settings.home / "learnt")
        before = next(iter(memory.states()), None) if exact else None
        anew = LearningStore(settings.home / "learnt.exact") if exact else memory
        if exact:
            anew.clear()
        detector, metrics = train_nightly(
            _Kept(windows),
            anew,
            _first_window(windows, since, until),
            until,
            budget=settings.alert_budget,
            guard=_guard(home),
            progress=watch,
        )
        audit = _audit(before, anew) if before else None
        if exact:
            memory.replace_by(anew)
        watch("save", 1.0)
        artefact = detector.artefact()
        judged = gates(metrics, artefact.manifest["calibrations"])
        version = home.registry.save(artefact, created_at=datetime.now(UTC))
        promoted = all(gate.passed for gate in judged)
        if promoted:
            home.registry.promote(version)
        expire_scores(home, datetime.now(UTC))
        expire_audit(home, datetime.now(UTC))
        watch("done", 1.0)
    return RefreshReport(version, promoted, judged, metrics, watch.seconds, audit)


def _span(home: Home, until: datetime | None, days: int) -> tuple[datetime, datetime]:
    span, closed = home.lake.span(), closed_until(home.lake)
    if span is None or closed is None:
        raise JobError("the lake is empty (run wharfinger ingest first)")
    if until is not None and until <= span[0]:
        raise JobError(f"the lake holds nothing before {until:{_ISO}} (its first event is of {span[0]:{_ISO}})")
    until = floor_window(min(until, closed)) if until else closed
    return max(floor_window(span[0]), until - timedelta(days=days)), until


def _first_window(windows: WindowStore, since: datetime, until: datetime) -> datetime:
    """Find when the first workload spoke; the half of a span that is learnt only counts from there."""
    for start, end in days_between(since, until):
        if starts := windows.read(start, end).values["window_start"].to_list():
            first: datetime = min(starts)
            return first
    return since


def _audit(before: State, anew: LearningStore) -> list[Difference] | None:
    exact = next((state for state in anew.states() if state.until == before.until), None)
    return None if exact is None else compare(before.baseline(), exact.baseline())


def _guard(home: Home) -> Guard:
    """Ask the champion what it held back, and people what they said."""
    verdicts = home.feedback.statements(Verdict)
    attacks = [Attack(one.workload, one.start, one.end, one.items) for one in verdicts if one.verdict == "attack"]
    guard = Guard(
        expected=home.feedback.expectations(), attacks=attacks, lasting=timedelta(days=home.settings.quarantine_days)
    )
    held = _held(home)
    return guard if held is None else replace(guard, held=held)


def _held(home: Home) -> pl.DataFrame | None:
    """Read what the champion held back; one that cannot be read is about to be replaced, and must not prevent it."""
    version = home.registry.champion()
    if version is None:
        return None
    try:
        return home.registry.load(version).tables.get("held")
    except ArtefactError as error:
        _log.warning("what the champion held back is learnt", model=version, error=str(error))
        return None
