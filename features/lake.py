"""The store of normalised events: Parquet files by day and class, each written once and never changed."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from features import compaction
from features.classes import CLASSES, by_class
from features.events import EVENT_SCHEMA, conform
from features.holdings import Holding, by_day_and_class, holding
from features.known_ids import Ids, KnownIds
from features.lake_files import (
    BusyError,
    File,
    LakeError,
    asked,
    cut,
    days_of,
    listed,
    micros,
    moment,
    once,
    scan,
    size_of,
    write_parts,
)
from features.locks import locked
from features.stores import Directory, Store

MOST_SMALL_FILES = 64  # of one class and day; an intake that adds a few events at a time would leave a file for each
_SMALL = 2**20  # bytes; the ids of a full file, which do not compress, take twice that
_TRIES = 20  # to read what is merged meanwhile: a merge takes at least `MOST_SMALL_FILES` additions

T = TypeVar("T")


class Compacted(NamedTuple):
    """A day and class whose files were rewritten: their number and bytes, before and after."""

    day: date
    kept: str
    files_before: int
    files: int
    size_before: int
    size: int


class Lake:
    """Events in the files of a store, `date=YYYY-MM-DD/CLASS-FIRST-LAST-CONTENT.vVERSION.parquet`.

    The class is that of the event's kind: each is read, and kept, for another span. A file from before there were
    classes names none; it is read whatever is asked for, until it is parted.

    Each event is kept once, by `event_id`. The id is made of the event's time among others, so only files whose
    span of time overlaps the new events can hold duplicates of them; the spans stand in the names. Small files of a
    day are merged once they are many. Who writes holds a lock of this machine. Who reads at once holds none: a file
    that is gone before it was read lies in another now, so the lake is read again. Who reads file by file for long
    holds the lake (`held`), and merging waits for another time.

    Parameters
    ----------
    place
        Where the files lie: a directory, which is created, or any store.
    """

    def __init__(self, place: Path | Store) -> None:
        self.store = Directory(place) if isinstance(place, Path) else place
        self._known = KnownIds()

    def append(self, events: pl.DataFrame) -> int:
        """Add events; those already present, and repeats among them, are left out.

        Returns
        -------
        Number of rows added.
        """
        if events.is_empty():
            return 0
        events = once(conform(events))
        with locked(self.store.locks, "append"):
            return sum(self._append_day(day, part) for day, part in days_of(events))

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

        return once(self._steadily(collect)).select(wanted)

    def files(
        self, since: datetime | None = None, until: datetime | None = None, kinds: Collection[str] | None = None
    ) -> list[File]:
        """List the files that may hold such events, by name; each lasts while the lake is `held`."""
        return _asked(self._listed(), since, until, kinds)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every file where it is: others may add files meanwhile, and remove none."""
        with locked(self.store.locks, "files", shared=True):
            yield

    def parts(self) -> Iterator[pl.DataFrame]:
        """Give all events a file at a time, for what needs not see them together, of a lake that nobody writes."""
        for file in listed(self.store):
            yield once(scan(self.store, [file]).collect())

    def span(self) -> tuple[datetime, datetime] | None:
        """Give the times of the first and the last event; none if there are no events."""
        files = self._listed()
        return (moment(min(f.first for f in files)), moment(max(f.last for f in files))) if files else None

    def days(self, since: datetime, until: datetime) -> list[datetime]:
        """Give the starts, in UTC, of the days that hold events with `since <= ts < until`."""
        first, last = micros(since), micros(until) - 1
        return [_midnight(day) for day in sorted({file.day for file in self._listed() if file.overlaps(first, last)})]

    def counts(self) -> dict[str, int]:
        """Count the events of each source."""
        counted = self.read(columns=["source"]).group_by("source").len().sort("source").rows()
        return {str(source): int(count) for source, count in counted}

    def holdings(self) -> list[Holding]:
        """Tell what there is of each day and class, in their order; rows that a killed merge left twice count twice."""
        return self._steadily(lambda files: [holding(self.store, held) for held in by_day_and_class(files)])

    def copy_to(self, root: Path) -> "Lake":
        """Give a lake of this machine that holds the same files, and can be added to without changing this one."""

        def fetch(files: list[File]) -> None:
            for file in files:
                place = root / file.name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not place.exists():  # fetched before another was merged
                    self.store.fetch(file.name, place)

        self._steadily(fetch)
        return Lake(root)

    def expire(self, keep: Mapping[str, timedelta], now: datetime) -> int:
        """Remove the days of each class that are over for longer than it is kept.

        Parameters
        ----------
        keep
            Span for each class of `CLASSES`; one that is not named is kept for ever.
        now
            Time of the latest day at most. An event from a broken clock that lies in the future expires nothing.

        Returns
        -------
        Number of files removed; none while the lake is held.
        """
        with suppress(BlockingIOError), locked(self.store.locks, "append"), self._free():
            self._part()
            files = listed(self.store)
            over = [f.name for c, span in keep.items() for f in files if f.kept == c and _end(f.day) <= now - span]
            self.store.delete(over)
            return len(over)
        return 0

    def compact(
        self, before: datetime, *, most: int = 0, progress: Callable[[str, float], None] = lambda _, __: None
    ) -> list[Compacted]:
        """Rewrite files of days that are over into as few as may be, sorted by time, in today's schema.

        One that was stopped is taken up where it was. Additions wait for one day and class at a time.

        Parameters
        ----------
        before
            Only days that end by then are touched.
        most
            Files of a day and class that are left as they are, however they lie, if there are no more.
        progress
            Told the day and class at work and the share done.

        Raises
        ------
        BusyError
            If another compaction is at work, or the lake is held.
        LakeError
            If a file has a later schema than this one.
        """
        try:
            with locked(self.store.locks, "compact", wait=False):
                return list(self._compact(before, most, progress))
        except BlockingIOError as error:
            raise BusyError("another compaction or a refresh of this lake is at work; wait for it to end") from error

    def _compact(self, before: datetime, most: int, progress: Callable[[str, float], None]) -> Iterator[Compacted]:
        with locked(self.store.locks, "append"), self._free():
            self._part()
        over = [file for file in listed(self.store) if _end(file.day) <= before]
        groups = [(held[0].day, held[0].kept) for held in by_day_and_class(over) if len(held) > most]
        for number, (day, kept) in enumerate(groups, start=1):
            with locked(self.store.locks, "append"), self._free():
                files = [file for file in listed(self.store, day) if file.kept == kept]
                if files and not compaction.is_compact(self.store, files):
                    after = compaction.compact(self.store, files)
                    yield Compacted(day, str(kept), len(files), len(after), size_of(files), size_of(after))
            progress(f"{day} {kept}", number / len(groups))

    def _append_day(self, day: date, events: pl.DataFrame) -> int:
        held, times = listed(self.store, day), events["ts"].to_physical()
        ids = events["event_id"].to_numpy()
        order, known = ids.argsort(), np.zeros(ids.size, bool)
        for file in held:
            if file.overlaps(times[0], times[-1]):
                known[order] |= self._known.among(ids[order], file.name, partial(_ids, self.store, file))
        if known.any():
            events = events.filter(~known)
        for kept, part in by_class(events):
            added = write_parts(self.store, day, kept, part)
            for file, written in zip(added, cut(part), strict=True):
                self._known.add(file.name, written["event_id"].to_numpy())
            self._merge_small(day, kept, [*(file for file in held if file.kept == kept), *added])
        return events.height

    def _merge_small(self, day: date, kept: str, files: list[File]) -> None:
        small = [file for file in files if file.size < _SMALL]
        if len(small) <= MOST_SMALL_FILES:
            return
        with suppress(BlockingIOError), self._free():  # while the lake is held a later addition will merge
            # killed between the two steps, the events are there twice: reading and the next merge see to that
            merged = write_parts(self.store, day, kept, once(scan(self.store, small).collect()))
            self.store.delete({file.name for file in small} - {file.name for file in merged})

    @contextmanager
    def _free(self) -> Iterator[None]:
        """Remove files only while nobody holds the lake; raises `BlockingIOError` else."""
        with locked(self.store.locks, "files", wait=False):
            yield

    def _part(self) -> None:
        for file in listed(self.store):
            if file.kept is None:
                compaction.part(self.store, file)

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

    def _steadily(self, read: Callable[[list[File]], T]) -> T:
        """Read files; again, if one of them was merged into another before it was read."""
        for _ in range(_TRIES):
            try:
                return read(self._listed())
            except FileNotFoundError:
                continue
        raise LakeError(f"files of the lake {self.store.location('')} are being merged all the time; run it again")


def _asked(
    files: list[File], since: datetime | None, until: datetime | None, kinds: Collection[str] | None
) -> list[File]:
    first, last = 0 if since is None else micros(since), None if until is None else micros(until) - 1
    classes = {None, *(CLASSES.values() if kinds is None else (CLASSES[kind] for kind in kinds))}
    return [file for file in files if file.kept in classes and file.overlaps(first, last)]


def _ids(store: Store, file: File) -> Ids:
    return scan(store, [file]).select("event_id").collect().to_series().to_numpy()


def _end(day: date) -> datetime:
    return _midnight(day) + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
