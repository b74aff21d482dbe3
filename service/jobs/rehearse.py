"""Plays scenarios into the telemetry that a home recorded, and tells what its model makes of each."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from features.addresses import internal_networks
from features.extraction import closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.windows import merge_windows
from models.detector import Detector
from models.scores import SEVERITIES, Score, Severity
from service.emulation.labels import Attack
from service.emulation.recorded import MACHINES, playable, played, recorded
from service.emulation.scenario import Scenario, Variant, library
from service.jobs.errors import JobError
from service.jobs.progress import Progress, silent
from service.jobs.score import model
from service.validation.judge import Act, Judge
from service.validation.scored import Scored
from service.validation.trial import act_of
from service.wiring import Home

SPAN = timedelta(days=1)
FEWEST = 6  # scenarios at a time, however few workloads there are


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """What the model made of one scenario.

    Parameters
    ----------
    scenario, name, variant, workload
        What was played, how loud, on whom.
    severity, bits
        Of the strongest window.
    quiet_bits
        Of the strongest window that its workloads had that day without it.
    delay
        Minutes until the end of the first window of severity high; none without one.
    why
        Sentence of the strongest window's first reason.
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


def rehearse(
    home: Home,
    *,
    version: str | None = None,
    variants: Sequence[Variant] = ("high", "dampened"),
    seed: int = 1,
    progress: Progress = silent,
) -> tuple[list[Rehearsed], list[str]]:
    """Play the library into the last day of the lake, a part of it at a time, and score each part.

    The lake itself is not changed.

    Parameters
    ----------
    home
        Whose telemetry and model.
    version
        Model to measure, a challenger for one; None: the champion.
    variants
        How loud each scenario is played.
    seed
        Chooses victims and times.
    progress
        Told the step, and the share of it that is done.

    Returns
    -------
    What was played, by scenario; and what could not be played, and why.

    Raises
    ------
    JobError
        If there is no such model, the lake holds less than a day, or no container of a Docker Engine ran in it.
    """
    detector = model(home) if version is None else _version(home, version)
    span, until = home.lake.span(), closed_until(home.lake)
    if span is None or until is None or until - SPAN < span[0]:
        raise JobError("the lake holds less than a day of telemetry (run wharfinger ingest first)")
    since = until - SPAN
    quiet = Scored.of(_scores(home, detector, home.lake, since, until))
    unplayed = [f"{scenario.id}: {why}" for scenario in library().values() if (why := playable(scenario))]
    waiting = [(each, variant) for each in library().values() if not playable(each) for variant in variants]
    total, found, parts = len(waiting), [], 0
    while waiting:
        progress("rehearse", 1 - len(waiting) / total)
        with TemporaryDirectory(prefix="wharfinger-rehearse-") as folder:
            told, missed, count = _part(home, detector, Path(folder), (since, until), waiting, seed + parts)
        found += [_told(attack, scores, quiet, detector) for attack, scores in told]
        unplayed += missed
        waiting, parts = waiting[count:], parts + 1
    progress("done", 1.0)
    return sorted(found, key=lambda each: (each.scenario, variants.index(each.variant))), unplayed


def _part(
    home: Home,
    detector: Detector,
    folder: Path,
    span: tuple[datetime, datetime],
    waiting: Sequence[tuple[Scenario, Variant]],
    seed: int,
) -> tuple[list[tuple[Attack, Scored]], list[str], int]:
    """Play as many scenarios as there are victims for, and score the day with them."""
    try:
        world = recorded(home.lake, folder, *span, seed=seed, networks=internal_networks(home.settings.internal_cidrs))
    except LookupError as error:
        raise JobError(f"{error.args[0]} (ingest Docker events and inspect snapshots first)") from error
    count = max(FEWEST, len(world.services) // 2)
    labels = played(world, waiting[:count])
    lake = _linked(home.lake, folder / "lake")
    for batch in read_events([folder / "watch"]):
        lake.append(batch.events)
    scored = Scored.of(_scores(home, detector, lake, *span))
    return [(_placed(attack), scored) for attack in labels.attacks], world.ledger.unplayed, count


def _placed(attack: Attack) -> Attack:
    """Leave out the machines' own addresses: a lake does not know them, and the made-up ones are new to everyone."""
    known = tuple(name for name in attack.workloads if not name.startswith(f"ip:{MACHINES}"))
    return msgspec.structs.replace(attack, workloads=known or attack.workloads, workload=(known or attack.workloads)[0])


def _scores(home: Home, detector: Detector, lake: Lake, since: datetime, until: datetime) -> list[Score]:
    """Score the windows of a span, weighed together with those since the end of the baseline."""
    learnt = detector.normal.baseline.until
    begin = min(learnt, since) if learnt < until else since
    networks = internal_networks(home.settings.internal_cidrs)
    return detector.score(merge_windows(list(extract_days(lake, begin, until, networks=networks))), since)


def _told(attack: Attack, scored: Scored, quiet: Scored, detector: Detector) -> Rehearsed:
    judge, act = Judge(scored, []), act_of(attack)
    strongest = judge.strongest(act)
    before = Judge(quiet, []).strongest(Act(act.workloads, float(quiet.start.min()), float(quiet.start.max())))
    bits = float(scored.bits[strongest]) if strongest is not None else 0.0
    return Rehearsed(
        scenario=attack.scenario,
        name=library()[attack.scenario].name,
        variant=attack.variant,
        workload=scored.names[scored.who[strongest]] if strongest is not None else attack.workload,
        severity=detector.channels.severity(bits) if bits else SEVERITIES[0],
        bits=round(bits, 2),
        quiet_bits=round(float(quiet.bits[before]), 2) if before is not None else 0.0,
        delay=judge.delay(act, detector.channels.thresholds["high"]),
        why=scored.texts[strongest] if strongest is not None else "",
    )


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
