"""Makes the windows of the lake's days and keeps them: what is there already is not made again."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from features import day_leases
from features.addresses import Network, internal_networks
from features.answers import AnswersPart, merge_answers
from features.attributed import ANSWERS, KINDS, Slice, deal, deal_group, deal_slice, groups, is_done
from features.bucket_windows import BucketDay, extract_bucket
from features.dealt_events import Dealt
from features.extraction import closed_until, floor_day
from features.partition import bucket_of
from features.stores import Store
from features.window_store import WindowStore
from service.jobs.errors import JobError
from service.jobs.executors import Task, executing, unordered
from service.jobs.holdings import holdings, slices
from service.jobs.locks import only_one
from service.jobs.progress import Progress, silent
from service.jobs.window_plan import DayPlan, Planner, is_pending
from service.wiring import Home

BATCH = 20_000_000  # events that lie dealt on disk at a time, and those of one more day
ANSWERED = 4_000_000  # events of traffic whose DNS answers one task merges
_STANDING = "control-standing"


def extract_windows(
    home: Home,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    executor: str | None = None,
    scheduler: str | None = None,
    progress: Progress = silent,
) -> WindowStore:
    """Make the windows of every day that has events with `since <= ts < until`, where they are not there already.

    A day is made again if its events, those of the day before, or the leases that name their workloads are other ones.
    A run that is stopped keeps what it has finished. Days that are older than the history are removed.

    Parameters
    ----------
    since
        None: all that the lake holds.
    until
        Windows that end later are left out; None: up to the last closed one.
    executor, scheduler
        Where the work runs; None: as the settings say.
    progress
        Told the step, and the share of it that is done.

    Raises
    ------
    JobError
        If another run is at work, the lake is empty, or the executor fails.
    """
    settings, store = home.settings, home.windows
    networks = internal_networks(settings.internal_cidrs)
    with (
        only_one(settings.home / "windows.lock", "extraction of windows"),
        home.lake.held() as lake,
        executing(settings, executor=executor, scheduler=scheduler),
    ):
        span, closed = lake.span(), closed_until(lake)
        if span is None or closed is None:
            raise JobError("the lake is empty (run wharfinger ingest first)")
        since, until = since or span[0], min(until or closed, closed)
        held = holdings(lake, since, until, store.root / "surveys", progress)
        planner = Planner(lake, until, networks)
        batch = _Batch(lake.store, store, planner, networks)
        for number, day in enumerate(planner.plans(held), 1):
            if is_pending(day, store, since):
                batch.add(day)
            if batch.events >= BATCH or number == len(held):
                batch.make()
            progress("windows", number / len(held))
        history = floor_day(until) - timedelta(days=settings.history_days)
        for date in store.days():
            if date < min(floor_day(since), history).date():
                store.remove(date)
    return store


class _Batch:
    """Days that are made together, so that there is work for many workers."""

    def __init__(self, files: Store, store: WindowStore, planner: Planner, networks: tuple[Network, ...]) -> None:
        self._files = files
        self._store = store
        self._planner = planner
        self._networks = networks
        self._days: list[DayPlan] = []

    @property
    def events(self) -> int:
        """Number of events of the days."""
        return sum(sum(day.holding.rows.values()) for day in self._days)

    def add(self, day: DayPlan) -> None:
        """Take a day in."""
        folder = self._folder(day)
        for one in (folder, *([self._folder(day.before)] if day.before else [])):
            for other in set(one.parent.glob("*")) - {one}:
                shutil.rmtree(other)
        self._store.sweep(day.holding.since.date(), day.key)
        if not is_done(folder, _STANDING):
            placed = (
                self._planner.standing(day)
                .with_columns(bucket_of("workload", day.holding.buckets))
                .drop_nulls("bucket")
            )
            deal([placed], folder, _STANDING, day.holding.buckets)
        self._days.append(day)

    def make(self) -> None:
        """Make the windows of the days, and keep the dealt events of the last for the day after it."""
        if not self._days:
            return
        needed = {self._folder(day): day for one in self._days for day in (one.before, one) if day is not None}
        for folder, day in needed.items():
            day_leases.save(self._planner.leases(day), folder / "leases")
        _run(deal_slice, [task for folder, day in needed.items() for task in self._slices(folder, day)])
        _run(deal_group, [task for folder, day in needed.items() for task in groups(folder, day.holding.buckets)])
        _run(merge_answers, [task for folder, day in needed.items() for task in _answers(folder, day)])
        _run(extract_bucket, [task for day in self._days for task in self._buckets(day)])
        for day in self._days:
            told = {"rows": day.rows, "until": day.holding.until.isoformat()}
            self._store.finish(day.holding.since.date(), day.key, day.holding.buckets, told)
            self._store.sweep(day.holding.since.date(), day.key)
        for folder in needed.keys() - {self._folder(self._days[-1])}:
            shutil.rmtree(folder.parent)
        self._days = []

    def _folder(self, day: DayPlan) -> Path:
        return self._store.root / "dealt" / f"date={day.holding.since:%Y-%m-%d}" / day.dealt

    def _slices(self, folder: Path, day: DayPlan) -> Iterator[Slice]:
        held = day.holding
        for name in KINDS:
            for number, files in enumerate(slices(held.files[name])):
                yield Slice(
                    holds=name,
                    store=self._files,
                    files=files,
                    since=held.since,
                    until=held.until,
                    leases=folder / "leases",
                    networks=self._networks,
                    buckets=held.buckets,
                    folder=folder,
                    number=number,
                )

    def _buckets(self, day: DayPlan) -> Iterator[BucketDay]:
        held, date = day.holding, day.holding.since.date()
        own, before = self._dealt(day), self._dealt(day.before) if day.before else None
        for index in range(held.buckets):
            paths = self._store.paths(date, index, day.key)
            yield BucketDay(held.since, held.until, own, before, index, paths)

    def _dealt(self, day: DayPlan) -> Dealt:
        held = day.holding
        heard = held.surveys["traffic"].heard
        return Dealt(self._folder(day), held.buckets, held.last("traffic"), held.last("control"), heard)


def _answers(folder: Path, day: DayPlan) -> Iterator[AnswersPart]:
    count = 1 + day.holding.rows["traffic"] // ANSWERED
    for index in range(count):
        yield AnswersPart(folder / ANSWERS, (index, count))


def _run(function: Callable[[Task], None], tasks: Iterable[Task]) -> None:
    for _ in unordered(function, tasks):
        pass
