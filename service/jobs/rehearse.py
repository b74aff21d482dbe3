"""Plays scenarios into the telemetry that a home recorded, and measures what its current model makes of them."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from features.addresses import internal_networks
from features.extraction import closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.windows import merge_windows
from models.detector import Detector
from models.incidents import alerts
from service.emulation.recorded import playable, played, recorded
from service.emulation.scenario import Scenario, Variant, library
from service.jobs.errors import JobError
from service.jobs.progress import Progress, silent
from service.jobs.score import model
from service.validation.measures import measure
from service.validation.report import Report, Setting
from service.validation.scored import Scored
from service.validation.trial import Trial
from service.wiring import Home

SPAN = timedelta(days=1)
FEWEST = 6  # scenarios at a time, however few workloads there are


def rehearse(
    home: Home,
    *,
    version: str | None = None,
    variants: Sequence[Variant] = ("high", "dampened"),
    seed: int = 1,
    progress: Progress = silent,
) -> Report:
    """Play the library into the last day of the lake, a part of it at a time, and score each part.

    The lake itself is not changed. A day that the model has learnt from understates the false alerts.

    Parameters
    ----------
    home
        Whose telemetry and model.
    version
        Model to measure; None: the champion.
    variants
        How loud each scenario is played.
    seed
        Chooses victims and times.
    progress
        Told the step, and the share of it that is done.

    Raises
    ------
    JobError
        If there is no such model, the lake holds less than a day, or no container of a Docker Engine ran in it.
    """
    detector = model(home) if version is None else _version(home, version)
    span, until = home.lake.span(), closed_until(home.lake)
    if span is None or until is None or until - SPAN < span[0]:
        raise JobError("the lake holds less than a day of telemetry (run wharfinger ingest first)")
    chosen = [scenario for scenario in library().values() if not playable(scenario)]
    unplayed = [f"{scenario.id}: {why}" for scenario in library().values() if (why := playable(scenario))]
    trials: list[Trial] = []
    waiting = [(scenario, variant) for variant in variants for scenario in chosen]
    total = len(waiting)
    while waiting:
        progress("rehearse", 1 - len(waiting) / total)
        with TemporaryDirectory(prefix="wharfinger-rehearse-") as folder:
            trial, missed, count = _part(
                home, detector, Path(folder), (until - SPAN, until), waiting, seed + len(trials)
            )
        trials.append(trial)
        unplayed += missed
        waiting = waiting[count:]
    progress("done", 1.0)
    setting = Setting(
        split="recorded", seeds=(seed,), workloads=trials[0].labels.workloads, days=1, learn_days=0, flows=0,
        budget=home.settings.alert_budget,
    )  # fmt: skip
    return measure(trials, setting, unplayed=unplayed)


def _part(
    home: Home,
    detector: Detector,
    folder: Path,
    span: tuple[datetime, datetime],
    waiting: Sequence[tuple[Scenario, Variant]],
    seed: int,
) -> tuple[Trial, list[str], int]:
    """Play as many scenarios as there are victims for, and score the day with them."""
    networks = internal_networks(home.settings.internal_cidrs)
    try:
        world = recorded(home.lake, folder, *span, seed=seed, networks=networks)
    except LookupError as error:
        raise JobError(f"{error.args[0]} (ingest Docker events and inspect snapshots first)") from error
    count = max(FEWEST, len(world.services) // 2)
    labels = played(world, waiting[:count])
    lake = _linked(home.lake, folder / "lake")
    for batch in read_events([folder / "watch"]):
        lake.append(batch.events)
    learnt = detector.normal.baseline.until
    begin = min(learnt, span[0]) if learnt < span[1] else span[0]
    windows = merge_windows(list(extract_days(lake, begin, span[1], networks=networks)))
    scores = detector.score(windows, span[0])
    trial = Trial(labels, Scored.of(scores), dict(detector.channels.thresholds), tuple(alerts(scores, at_least="low")))
    return trial, world.ledger.unplayed, count


def _linked(lake: Lake, root: Path) -> Lake:
    """Give a lake that holds the same files and can be added to without changing the first."""
    other = Lake(root)
    for path in sorted(lake.root.glob("date=*/*.parquet")):
        place = root / path.parent.name / path.name
        place.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:  # another file system
            place.write_bytes(path.read_bytes())
    return other


def _version(home: Home, version: str) -> Detector:
    try:
        return Detector.from_artefact(home.registry.load(version), version)
    except (OSError, ValueError) as error:
        raise JobError(f"cannot load the model {version}: {error} (see wharfinger models list)") from error
