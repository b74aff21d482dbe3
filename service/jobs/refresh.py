"""Learns baselines and a model from the lake, and promotes the model if its gates pass."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import joblib
import polars as pl
import structlog

from features.addresses import internal_networks
from models.errors import ArtefactError
from models.quarantine import Attack, Guard
from models.training import train
from service.feedback import Verdict
from service.jobs.errors import JobError
from service.jobs.gates import Gate, gates
from service.jobs.locks import only_one
from service.jobs.progress import Progress, silent
from service.jobs.retention import expire_scores
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
    """

    version: str
    promoted: bool
    gates: list[Gate]
    metrics: dict[str, Any]
    seconds: dict[str, float]


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
    progress: Progress = silent,
) -> RefreshReport:
    """Train on the lake's last days, save the model, promote it if it passes every gate.

    A refresh that is stopped leaves the champion as it was.

    Parameters
    ----------
    home
        Where lake and registry lie.
    until
        Learn from events before this time; None: from all there are.
    days
        Length of the span to learn from; None: the setting `history_days`.
    executor, scheduler
        Where heavy work runs; None: as the settings say.
    progress
        Told the step, and the share of it that is done.

    Raises
    ------
    JobError
        If another refresh is at work, or the lake holds nothing before `until`.
    """
    settings = home.settings
    span = home.lake.span()
    if span is None:
        raise JobError("the lake is empty (run wharfinger ingest first)")
    if until is not None and until <= span[0]:
        raise JobError(f"the lake holds nothing before {until:{_ISO}} (its first event is of {span[0]:{_ISO}})")
    watch = _Stopwatch(progress)
    with (
        only_one(settings.home / "refresh.lock", "refresh"),
        _parallel(executor or settings.executor, scheduler or settings.scheduler, settings.jobs),
    ):
        detector, metrics = train(
            home.lake,
            until=until,
            days=days or settings.history_days,
            networks=internal_networks(settings.internal_cidrs),
            budget=settings.alert_budget,
            guard=_guard(home),
            progress=watch,
        )
        watch("save", 1.0)
        artefact = detector.artefact()
        judged = gates(metrics, artefact.manifest["calibrations"])
        version = home.registry.save(artefact, created_at=datetime.now(UTC))
        promoted = all(gate.passed for gate in judged)
        if promoted:
            home.registry.promote(version)
        expire_scores(home, datetime.now(UTC))
        watch("done", 1.0)
    return RefreshReport(version, promoted, judged, metrics, watch.seconds)


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


@contextmanager
def _parallel(executor: str, scheduler: str, jobs: int) -> Iterator[None]:
    """Run joblib's work inside on this machine, or on the Dask cluster at `scheduler`."""
    if executor == "local":
        with joblib.parallel_config(backend="loky", n_jobs=jobs or -1):
            yield
        return
    try:
        from distributed import Client  # noqa: PLC0415 -- an optional dependency, imported when asked for
    except ImportError:
        raise JobError(
            "the executor dask is not installed (pip install distributed, or use --executor local)"
        ) from None
    if not scheduler:
        raise JobError("the executor dask needs its scheduler (give --scheduler tcp://HOST:8786)")
    with Client(scheduler), joblib.parallel_config(backend="dask"):
        yield
