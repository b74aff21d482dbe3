"""Plays scenarios into the telemetry that a home recorded, and tells what its model makes of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import polars as pl

from features.addresses import Network, internal_networks
from features.extraction import TRAFFIC, closed_until, extract_days
from features.ingest import read_events
from features.lake import Lake
from features.windows import Windows, merge_windows
from models.detector import Detector
from models.incidents import alerts
from models.scores import Score
from service.emulation.labels import Attack
from service.emulation.observed import Observed, observe
from service.emulation.recorded import MACHINES, playable, played, recorded
from service.emulation.scenario import Scenario, Variant, library
from service.jobs.errors import JobError
from service.jobs.progress import Progress, silent
from service.jobs.score import model
from service.validation.rehearsal import ByWorkload, Rehearsal, Rehearsed, judged
from service.wiring import Home

SPAN = timedelta(days=1)
FEWEST = 6  # scenarios at a time, however few workloads there are
TRIES = 4  # to find a victim and a time that no real alert lies on


def rehearse(
    home: Home,
    *,
    version: str | None = None,
    variants: Sequence[Variant] = ("high", "dampened"),
    scenarios: Sequence[Scenario] | None = None,
    seed: int = 1,
    progress: Progress = silent,
) -> Rehearsal:
    """Play scenarios into the last day of the lake, a part of them at a time, and score each part.

    The lake itself is not changed.

    Parameters
    ----------
    home
        Whose telemetry and model.
    version
        Model to measure, a challenger for one; None: the champion.
    variants
        How loud each scenario is played.
    scenarios
        What is played; None: the library.
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
    chosen = list(library().values() if scenarios is None else scenarios)
    waiting = [(each, variant) for each in chosen if not playable(each) for variant in variants]
    unplayed = [f"{each.id}: {why}" for each in chosen if (why := playable(each))]
    total, found = len(waiting), list[Rehearsed]()
    unseen: set[str] = set()
    # Beside the lake, for its files are linked: on another file system they would be copied.
    with TemporaryDirectory(prefix=".rehearsal-", dir=home.settings.home) as work:
        progress("read the lake", 0.0)
        day = _Day.of(home, detector, Path(work))
        quiet = day.scores(day.lake)
        before = ByWorkload(quiet)
        tried, number = Counter[tuple[str, Variant]](), 0
        while waiting:
            progress("play", 1 - len(waiting) / total)
            part = day.play(Path(work) / f"part-{number}", waiting[: day.most], seed + number)
            waiting, number, scored = waiting[day.most :], number + 1, ByWorkload(part.scores)
            for attack in part.attacks:
                tried[attack.scenario, attack.variant] += 1
                if row := judged(attack, scored, before):
                    found.append(row)
                elif tried[attack.scenario, attack.variant] < TRIES:
                    waiting.append((library()[attack.scenario], attack.variant))
                else:
                    unplayed.append(f"{attack.scenario} {attack.variant}: real alerts hid it, wherever it was played")
            unplayed += part.unplayed
            unseen |= part.unseen
    progress("done", 1.0)
    order = {variant: place for place, variant in enumerate(variants)}
    return Rehearsal(
        model=detector.version,
        since=f"{day.since:%Y-%m-%dT%H:%M:%SZ}",
        until=f"{day.until:%Y-%m-%dT%H:%M:%SZ}",
        learnt=detector.normal.baseline.until > day.since,
        alerts=len(alerts(quiet)),
        workloads=day.estate.containers["workload"].n_unique(),
        unseen=tuple(sorted(unseen)),
        scenarios=tuple(sorted(found, key=lambda each: (each.scenario, order[each.variant]))),
        unplayed=tuple(sorted(unplayed)),
    )


@dataclass(frozen=True)
class _Part:
    """Some scenarios that were played at once, and how the day was scored with them."""

    attacks: list[Attack]
    scores: list[Score]
    unplayed: list[str]
    unseen: set[str]


@dataclass(frozen=True, eq=False)
class _Day:
    """The last day of a lake: who lived in it, which sensors told of it, and how it is scored.

    `before` are the windows from the end of the baseline to the day: what stays new counts less, so they are weighed
    together with the day's.
    """

    lake: Lake
    since: datetime
    until: datetime
    estate: Observed
    sensors: pl.DataFrame
    detector: Detector
    networks: tuple[Network, ...]
    before: list[Windows]

    @classmethod
    def of(cls, home: Home, detector: Detector, work: Path) -> "_Day":
        """Hold a lake as it is now, whatever is ingested meanwhile."""
        lake = home.lake.copy_to(work / "lake")
        span, until = lake.span(), closed_until(lake)
        if span is None or until is None or until - SPAN < span[0]:
            raise JobError("the lake holds less than a day of telemetry (wharfinger ingest adds more)")
        since, networks = until - SPAN, internal_networks(home.settings.internal_cidrs)
        try:
            estate = observe(lake, since, networks)
        except LookupError as error:
            raise JobError(f"{error.args[0]} (ingest Docker events and inspect snapshots first)") from error
        learnt = detector.normal.baseline.until
        before = list(extract_days(lake, learnt, since, networks=networks)) if learnt < since else []
        sensors = lake.read(columns=("source", "kind")).unique()
        return cls(lake, since, until, estate, sensors, detector, networks, before)

    @property
    def most(self) -> int:
        """How many scenarios are played at once: few enough for most workloads to stay as they are."""
        return max(FEWEST, self.estate.containers["workload"].n_unique() // 2)

    def scores(self, lake: Lake) -> list[Score]:
        """Score the day as a lake tells of it."""
        day = extract_days(lake, self.since, self.until, networks=self.networks)
        return self.detector.score(merge_windows([*self.before, *day]), self.since)

    def play(self, folder: Path, chosen: Sequence[tuple[Scenario, Variant]], seed: int) -> _Part:
        """Play scenarios, and score the day with what they leave."""
        world = recorded(self.estate, folder, self.until, seed=seed)
        labels = played(world, chosen)
        lake, unseen = self.lake.copy_to(folder / "lake"), set[str]()
        for batch in read_events([folder / "watch"]):
            seen, lacking = self._sensed(batch.events)
            lake.append(seen)
            unseen |= lacking
        attacks, unplayed = [], list(world.ledger.unplayed)
        holders = {f"ip:{row['address']}": row["workload"] for row in self.estate.containers.iter_rows(named=True)}
        for attack in labels.attacks:
            known = tuple(holders.get(name, name) for name in attack.workloads if not name.startswith(f"ip:{MACHINES}"))
            if known:
                attacks.append(msgspec.structs.replace(attack, workload=known[0], workloads=known))
            else:
                why = "it shows at the machine's own address, which a lake does not tell"
                unplayed.append(f"{attack.scenario} {attack.variant}: {why}")
        return _Part(attacks, self.scores(lake), unplayed, unseen)

    def _sensed(self, events: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
        """Leave out what no sensor of this lake tells of, and name it: a log of Zeek, or a source."""
        sensor = pl.when(pl.col("kind").is_in(TRAFFIC)).then("kind").otherwise("source")
        there = self.sensors.select(sensor.alias("sensor")).to_series().implode()
        seen = sensor.is_in(there)
        return events.filter(seen), set(events.filter(~seen).select(sensor.alias("sensor")).to_series())


def _version(home: Home, version: str) -> Detector:
    try:
        return Detector.from_artefact(home.registry.load(version), version)
    except (OSError, ValueError) as error:
        raise JobError(f"cannot load the model {version}: {error} (see wharfinger models list)") from error
