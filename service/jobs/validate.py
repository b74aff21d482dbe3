"""Measures what the detector catches on estates whose ground truth is known, and at what noise."""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from features.ingest import read_events
from features.lake import Lake
from service.emulation.estate.__main__ import run
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.world import Options
from service.emulation.labels import read_labels
from service.emulation.scenario import Variant
from service.emulation.splits import Purpose, Split
from service.jobs.errors import JobError
from service.jobs.progress import Progress, silent
from service.validation.blindness import conditions
from service.validation.measures import measure
from service.validation.report import Condition, Report, Setting, Sweep
from service.validation.sweeping import WORKLOADS as SWEPT_WORKLOADS
from service.validation.sweeping import Sweeping
from service.validation.trial import Trial, try_out

START = "2026-09-07T00:00:00Z"  # a Monday; the telemetry's own time, no clock is asked
FULL_STRENGTH: tuple[Variant, ...] = ("high",)
BY_TURNS: tuple[Variant, ...] = ("high", "dampened")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to validate on.

    Parameters
    ----------
    split
        Which third of all made-up estates; figures that are reported come from the test split.
    seeds
        How many estates, each with its own names, topology, times and variants. Two play each scenario at full strength
        and dampened; one alone plays everything at full strength.
    workloads, days, learn_days, flows
        Size of an estate, the days it lives and those it is learnt from, and rows of its network logs, about.
    quick
        Leave out the sweeps and the sensors' blind spots.
    """

    split: Split = Split.TEST
    seeds: int = 2
    workloads: int = 100
    days: int = 9
    learn_days: int = 7
    flows: int = 300_000
    quick: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.learn_days < self.days:
            raise JobError(f"of {self.days} days some must be learnt and some watched (give --days above --learn-days)")


@dataclass(frozen=True, slots=True)
class Validation:
    """A report, and how long each step took: times stay out of the report, which is the same for the same estates."""

    report: Report
    seconds: dict[str, float]


def validate(
    plan: Plan,
    *,
    budget: float = 1.0,
    claims: Collection[str] = (),
    keep: Path | None = None,
    progress: Progress = silent,
) -> Validation:
    """Write estates, learn and score each as the service would, and judge the alerts.

    Parameters
    ----------
    plan
        What to validate on.
    budget
        False alerts a day for the fleet, as the setting `alert_budget`.
    claims
        Ids of the scenarios that must fire.
    keep
        Folder to leave telemetry and lakes in; None: a temporary one, removed again.
    progress
        Told the step, and the share of it that is done.

    Raises
    ------
    JobError
        If no day is left to watch.
    models.training.TrainingError
        If an estate is too small to learn from.
    """
    trials: list[Trial] = []
    unplayed: list[str] = []
    seen: list[Condition] = []
    swept: list[Sweep] = []
    watch = _Stopwatch(progress)
    with _workspace(keep) as work:
        for seed in range(1, plan.seeds + 1):
            stage = watch.within(f"estate {seed} of {plan.seeds}")
            folder = work / f"estate-{seed}"
            stage("simulate", 0.0)
            world = run(_options(plan, seed, folder))
            unplayed += [f"estate {seed}: {reason}" for reason in world.ledger.unplayed]
            lake = ingested(folder, stage)
            trials.append(try_out(lake, read_labels(folder, Purpose.REPORT), budget=budget, progress=stage))
            if seed == 1 and not plan.quick:
                seen = conditions(lake, trials[0], folder, budget=budget, progress=watch.within("blind spots"))
            if keep is None:
                rmtree(folder)
        if not plan.quick:
            swept = _swept(plan, work / "sweeps", budget, watch.within("sweeps"))
        watch("judge", 0.0)
        report = measure(trials, _setting(plan, budget), claims, conditions=seen, sweeps=swept, unplayed=unplayed)
        watch("done", 1.0)
    return Validation(report, watch.seconds)


def _swept(plan: Plan, folder: Path, budget: float, progress: Progress) -> list[Sweep]:
    """Play the sweeps in one more estate, with room for a victim of each cell."""
    options = replace(
        _options(plan, plan.seeds + 1, folder), workloads=max(plan.workloads, SWEPT_WORKLOADS), variants=()
    )
    sweeping = Sweeping(options)
    progress("simulate", 0.0)
    world = run(options, sweeping.prepare)
    lake = ingested(folder, progress)
    trial = try_out(lake, read_labels(folder, Purpose.REPORT), budget=budget, progress=progress)
    return sweeping.matrices(world, trial)


def ingested(folder: Path, progress: Progress) -> Lake:
    """Read an estate's telemetry into a lake beside it."""
    lake = Lake(folder / "lake")
    progress("ingest", 0.0)
    for batch in read_events([folder / "learn", folder / "watch"]):
        lake.append(batch.events)
    return lake


def _options(plan: Plan, seed: int, folder: Path) -> Options:
    return Options(
        out=folder,
        start=parse_iso(START),
        days=plan.days,
        learn_days=plan.learn_days,
        workloads=plan.workloads,
        flows=plan.flows,
        seed=seed,
        split=plan.split,
        variants=FULL_STRENGTH if plan.seeds == 1 else BY_TURNS,
    )


def _setting(plan: Plan, budget: float) -> Setting:
    return Setting(
        split=plan.split.value,
        seeds=tuple(range(1, plan.seeds + 1)),
        workloads=plan.workloads,
        days=plan.days,
        learn_days=plan.learn_days,
        flows=plan.flows,
        budget=budget,
    )


@contextmanager
def _workspace(keep: Path | None) -> Iterator[Path]:
    """Give a folder to work in: the one to keep, or one that is gone afterwards however the work ends."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    folder = Path(mkdtemp(prefix="wharfinger-validate-"))
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


class _Stopwatch:
    """Sums the time of each step, and passes the progress on."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress, self._step, self._since = progress, "", time.monotonic()

    def __call__(self, step: str, done: float, within: str = "") -> None:
        now = time.monotonic()
        if self._step:
            self.seconds[self._step] = self.seconds.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now
        self._progress(f"{within}: {step}" if within else step, done)

    def within(self, part: str) -> Progress:
        """Give a progress that names the part of the work in front of each step."""
        return lambda step, done: self(step, done, part)
