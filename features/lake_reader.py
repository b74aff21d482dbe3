"""Reading the lake, while others add to it and merge its files."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time
from operator import attrgetter
from typing import TypeVar

import polars as pl

from features.classes import CLASSES
from features.events import EVENT_SCHEMA, conform
from features.holdings import Holding, by_day_and_class, holding
from features.lake_files import File, LakeError, asked, listed, micros, moment, once, scan
from features.locks import locked
from features.stores import Store

_TRIES = 20  # to read what is merged meanwhile

_DAY = attrgetter("day")

T = TypeVar("T")


class LakeReader:
    """What may be asked of the files of a lake.

    Parameters
    ----------
    store
        Where they lie.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def read(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        kinds: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Read events with `since <= ts < until`, sorted by time and id: the same however they were added.

        Parameters
        ----------
        kinds
            Kinds to read; all by default.
        columns
            Columns to read, in this order; all by default.

        Raises
        ------
        LakeError
            If a file has a later schema than this one, or files are merged faster than they are read.
        """
        wanted = list(EVENT_SCHEMA) if columns is None else list(columns)
        needed = list(dict.fromkeys([*wanted, "ts", "event_id"]))

        def collect(files: list[File]) -> pl.DataFrame:
            files = _asked(files, since, until, kinds)
            if not files:
                return conform(pl.DataFrame()).select(needed)
            return scan(self.store, files).filter(asked(since, until, kinds)).select(needed).collect()

        return once(self.steadily(collect)).select(wanted)

    def files(
        self, since: datetime | None = None, until: datetime | None = None, kinds: Collection[str] | None = None
    ) -> list[File]:
        """List the files that may hold such events, by name; each lasts while the lake is `held`."""
        return _asked(self._listed(), since, until, kinds)

    @contextmanager
    def held(self) -> Iterator["LakeReader"]:
        """Keep every file where it is, and give them to read: others may add files meanwhile, and remove none.

        Those that are added are not seen; the files are listed once.
        """
        with locked(self.store.locks, "files", shared=True):
            yield _Held(self.store)

    def parts(self) -> Iterator[pl.DataFrame]:
        """Give all events a file at a time, for what needs not see them together, of a lake that nobody writes."""
        for file in listed(self.store):
            yield once(scan(self.store, [file]).collect())

    def known(self, events: pl.DataFrame) -> pl.Series:
        """Tell which events the lake holds already, by `ts` and `event_id`."""
        if events.is_empty():
            return pl.Series(dtype=pl.Boolean)
        times = events["ts"].to_physical()
        first, last = int(times.min()), int(times.max())  # type: ignore[arg-type]  # of integers

        def among(files: list[File]) -> pl.Series:
            held = [file for file in files if file.overlaps(first, last)]
            found = (
                pl.Series(dtype=pl.UInt64())
                if not held
                else scan(self.store, held).select("event_id").collect()["event_id"]
            )
            return events["event_id"].is_in(found.implode())

        return self.steadily(among)

    def span(self, until: datetime | None = None) -> tuple[datetime, datetime] | None:
        """Give the times of the first and the last event, at or before `until`; none if there are no such events.

        The last is exact without `until`; with it, an event of the same file may lie between the two.
        """
        last = None if until is None else micros(until)
        files = [file for file in self._listed() if file.overlaps(0, last)]
        if not files:
            return None
        latest = max(file.last for file in files)
        return moment(min(file.first for file in files)), moment(latest if last is None else min(latest, last))

    def days(self, since: datetime, until: datetime) -> list[datetime]:
        """Give the starts, in UTC, of the days that hold events with `since <= ts < until`."""
        first, last = micros(since), micros(until) - 1
        return [
            datetime.combine(day, time(), UTC)
            for day in sorted({file.day for file in self._listed() if file.overlaps(first, last)})
        ]

    def counts(self) -> dict[str, int]:
        """Count the events of each source."""
        counted = self.read(columns=["source"]).group_by("source").len().sort("source").rows()
        return {str(source): int(count) for source, count in counted}

    def holdings(self) -> list[Holding]:
        """Tell what there is of each day and class, in their order; rows that a killed merge left twice count twice."""
        return self.steadily(lambda files: [holding(self.store, held) for held in by_day_and_class(files)])

    def _listed(self) -> list[File]:
        """List files so that none is missed: a merge may leave behind what was not listed, and remove what was not yet.

        Nothing was removed meanwhile if a second listing holds all of the first, and that has what was left behind.
        """
        before = listed(self.store)
        for _ in range(_TRIES):
            now = listed(self.store)
            if {file.name for file in before} <= {file.name for file in now}:
                return now
            before = now
        raise LakeError(f"files of the lake {self.store.location('')} are being merged all the time; run it again")

    def steadily(self, read: Callable[[list[File]], T], kinds: Collection[str] | None = None) -> T:
        """Read the files that may hold events of some kinds; again, if one was merged into another before it was read.

        Raises
        ------
        LakeError
            If files are merged faster than they are read.
        """
        for _ in range(_TRIES):
            try:
                return read(self.files(kinds=kinds))
            except FileNotFoundError:
                continue
        raise LakeError(f"files of the lake {self.store.location('')} are being merged all the time; run it again")


class _Held(LakeReader):
    """The files that there were when the lake was held."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._files = super()._listed()

    def _listed(self) -> list[File]:
        return self._files


def _asked(
    files: list[File], since: datetime | None, until: datetime | None, kinds: Collection[str] | None
) -> list[File]:
    """Choose files from those that are sorted by name, which begins with the day."""
    if since is not None:
        files = files[bisect_left(files, since.astimezone(UTC).date(), key=_DAY) :]
    if until is not None:
        files = files[: bisect_right(files, until.astimezone(UTC).date(), key=_DAY)]
    first, last = 0 if since is None else micros(since), None if until is None else micros(until) - 1
    classes = {None, *(CLASSES.values() if kinds is None else (CLASSES[kind] for kind in kinds))}
    return [file for file in files if file.kept in classes and file.overlaps(first, last)]
