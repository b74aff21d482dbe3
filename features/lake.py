"""The store of normalised events: Parquet files by day and class, each written once and never changed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from features import compaction
from features.classes import by_class
from features.events import conform
from features.holdings import by_day_and_class
from features.known_ids import Ids, KnownIds
from features.lake_files import (
    BusyError,
    File,
    cut,
    days_of,
    listed,
    once,
    scan,
    size_of,
    write_parts,
)
from features.lake_reader import LakeReader
from features.locks import locked
from features.stores import Directory, Store

MOST_SMALL_FILES = 64  # of one class and day; an intake that adds a few events at a time would leave a file for each
_SMALL = 2**20  # bytes; the ids of a full file, which do not compress, take twice that

T = TypeVar("T")


class Compacted(NamedTuple):
    """A day and class whose files were rewritten: their number and bytes, before and after."""

    day: date
    kept: str
    files_before: int
    files: int
    size_before: int
    size: int


class Lake(LakeReader):
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
        super().__init__(Directory(place) if isinstance(place, Path) else place)
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

    def copy_to(self, root: Path) -> "Lake":
        """Give a lake of this machine that holds the same files, and can be added to without changing this one."""

        def fetch(files: list[File]) -> None:
            for file in files:
                place = root / file.name
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not place.exists():  # fetched before another was merged
                    self.store.fetch(file.name, place)

        self.steadily(fetch)
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


def _ids(store: Store, file: File) -> Ids:
    return scan(store, [file]).select("event_id").collect().to_series().to_numpy()


def _end(day: date) -> datetime:
    return _midnight(day) + timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
