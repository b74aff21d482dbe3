"""The store of normalised events: Parquet files by day and class, each written once and never changed."""

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from features.events import EVENT_SCHEMA, KINDS, conform

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 86_400_000_000
MOST_SMALL_FILES = 64  # of one class and day; an intake that adds a few events at a time would leave a file for each
MOST_ROWS = 250_000  # of one file: what a task holds in memory
_SMALL = 2**20  # bytes; the ids of a full file, which do not compress, take twice that

NETWORK, SYSTEM, APPLICATION = "network", "system", "application"
CLASSES: Final[Mapping[str, str]] = {
    kind: NETWORK if kind in {"flow", "dns", "tls", "http"} else APPLICATION if kind in {"log", "alert"} else SYSTEM
    for kind in KINDS
}


class _File(NamedTuple):
    """A file of the lake; its name carries its class and the times of its first and last event (µs since 1970)."""

    kept: str | None
    first: int
    last: int
    path: Path


class Lake:
    """Events under one directory, `date=YYYY-MM-DD/CLASS-FIRST-LAST-CONTENT.parquet`.

    The class is that of the event's kind: each is read, and kept, for another span. A file from before there were
    classes names none; it is read whatever is asked for, until `expire` parts it.

    Each event is kept once, by `event_id`. The id is made of the event's time among others, so only files whose
    span of time overlaps the new events can hold duplicates of them; the spans stand in the names. Small files of a
    day are merged once they are many, while nobody reads.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, events: pl.DataFrame) -> int:
        """Add events; those already present, and repeats among them, are left out.

        Returns
        -------
        Number of rows added.
        """
        if events.is_empty():
            return 0
        events = conform(events).unique("event_id", keep="first", maintain_order=True).sort("ts", "event_id")
        days = events.select(pl.col("ts").to_physical().floordiv(_DAY).alias("day")).to_series()
        with self._locked("append", fcntl.LOCK_EX):
            return sum(
                self._append_day(_EPOCH.date() + timedelta(days=day), events.filter(days == day))
                for day in days.unique().sort()
            )

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
        """
        wanted = list(EVENT_SCHEMA) if columns is None else list(columns)
        first = 0 if since is None else _micros(since)
        last = None if until is None else _micros(until) - 1
        with self._locked("files", fcntl.LOCK_SH):
            classes = {None, *(CLASSES.values() if kinds is None else (CLASSES[kind] for kind in kinds))}
            paths = [file.path for file in self._files(first, last) if file.kept in classes]
            if not paths:
                return conform(pl.DataFrame()).select(wanted)
            query = _scan(paths)
            if since is not None:
                query = query.filter(pl.col("ts") >= since)
            if until is not None:
                query = query.filter(pl.col("ts") < until)
            if kinds is not None:
                query = query.filter(pl.col("kind").is_in(sorted(kinds)))
            read = query.select(list(dict.fromkeys([*wanted, "ts", "event_id"]))).collect()
        return _once(read).select(wanted)

    def known(self, events: pl.DataFrame) -> pl.Series:
        """Tell which events the lake holds already, by `ts` and `event_id`."""
        if events.is_empty():
            return pl.Series(dtype=pl.Boolean)
        times = events["ts"].to_physical()
        known = pl.repeat(value=False, n=events.height, eager=True)
        with self._locked("files", fcntl.LOCK_SH):
            for file in self._files(int(times.min()), int(times.max())):  # type: ignore[arg-type]  # of integers
                known |= events["event_id"].is_in(pl.read_parquet(file.path, columns=["event_id"])["event_id"])
        return known

    def span(self, until: datetime | None = None) -> tuple[datetime, datetime] | None:
        """Give the times of the first and the last event, at or before `until`; none if there are no such events.

        The last is exact without `until`; with it, an event of the same file may lie between the two.
        """
        last = None if until is None else _micros(until)
        files = list(self._files(0, last))
        if not files:
            return None
        latest = max(file.last for file in files)
        return _moment(min(file.first for file in files)), _moment(latest if last is None else min(latest, last))

    def days(self, since: datetime, until: datetime) -> list[datetime]:
        """Give the starts, in UTC, of the days that hold events with `since <= ts < until`."""
        held = {_day(file.path) for file in self._files(_micros(since), _micros(until) - 1)}
        return [datetime.combine(day, time(), UTC) for day in sorted(held)]

    def counts(self) -> dict[str, int]:
        """Count the events of each source."""
        rows = self.read(columns=["source"]).group_by("source").len().sort("source").rows()
        return {str(source): int(count) for source, count in rows}

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
        Number of files removed.
        """
        with self._locked("append", fcntl.LOCK_EX), self._locked("files", fcntl.LOCK_EX):
            for directory in self.root.glob("date=*"):
                _part(directory)
            over = [
                path
                for kept, span in keep.items()
                for path in self.root.glob(f"date=*/{kept}-*.parquet")
                if datetime.combine(_day(path) + timedelta(days=1), time(), UTC) <= now - span
            ]
            for path in over:
                path.unlink()
        return len(over)

    def _append_day(self, day: date, events: pl.DataFrame) -> int:
        directory = self.root / f"date={day.isoformat()}"
        times = events["ts"].to_physical()
        first, last = int(times[0]), int(times[-1])
        held = [pl.read_parquet(f.path, columns=["event_id"]) for f in _listed(directory) if _overlap(f, first, last)]
        if held:
            events = events.join(pl.concat(held), on="event_id", how="anti", maintain_order="left")
        directory.mkdir(mode=0o700, exist_ok=True)
        for kept, part in _by_class(events):
            _write_parts(part, directory, kept)
            self._merge_small(directory, kept)
        return events.height

    def _merge_small(self, directory: Path, kept: str) -> None:
        small = [path for path in directory.glob(f"{kept}-*.parquet") if path.stat().st_size < _SMALL]
        if len(small) <= MOST_SMALL_FILES:
            return
        try:
            with self._locked("files", fcntl.LOCK_EX | fcntl.LOCK_NB):
                # killed between the two steps, the events are there twice: reading and the next merge see to that
                merged = _write_parts(_once(_scan(sorted(small)).collect()), directory, kept)
                for path in set(small) - merged:
                    path.unlink()
        except BlockingIOError:  # somebody reads; a later append will merge
            return

    def _files(self, first: int, last: int | None) -> Iterator[_File]:
        for directory in sorted(self.root.glob("date=*")):
            yield from (file for file in _listed(directory) if _overlap(file, first, last))

    @contextmanager
    def _locked(self, what: str, how: int) -> Iterator[None]:
        """Hold a lock between processes: `append` keeps two from adding the same, `files` keeps files in place."""
        with (self.root / f".{what}.lock").open("w") as lock:
            fcntl.flock(lock, how)
            yield


def _scan(paths: Sequence[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(
        list(paths),
        schema=EVENT_SCHEMA,
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
    )


def _once(events: pl.DataFrame) -> pl.DataFrame:
    """Sort events by time and id, each once."""
    events = events.sort("ts", "event_id")
    repeated = events.select(again=pl.col("event_id").eq(pl.col("event_id").shift()).fill_null(value=False)).to_series()
    return events.filter(~repeated) if repeated.any() else events


def _listed(directory: Path) -> Iterator[_File]:
    for path in sorted(directory.glob("*.parquet")):
        *kept, first, last, _ = path.stem.split("-")
        yield _File(kept[0] if kept else None, int(first), int(last), path)


def _day(path: Path) -> date:
    return date.fromisoformat(path.parent.name.removeprefix("date="))


def _by_class(events: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    kept = events["kind"].replace_strict(CLASSES, default=SYSTEM, return_dtype=pl.String)
    for name in kept.unique().sort():
        yield name, events.filter(kept == name)


def _part(directory: Path) -> None:
    """Rewrite the files of a day that are from before there were classes."""
    old = [file.path for file in _listed(directory) if file.kept is None]
    if old:
        for kept, events in _by_class(_once(_scan(old).collect())):
            _write_parts(events, directory, kept)
        for path in old:
            path.unlink()


def _overlap(file: _File, first: int, last: int | None) -> bool:
    return file.last >= first and (last is None or file.first <= last)


def _write_parts(events: pl.DataFrame, directory: Path, kept: str) -> set[Path]:
    """Write sorted events of one class as files of at most `MOST_ROWS`."""
    starts = range(0, events.height, MOST_ROWS)
    return {_write(events[start : start + MOST_ROWS], directory, kept) for start in starts}


def _write(events: pl.DataFrame, directory: Path, kept: str) -> Path:
    """Write sorted events as one file, whole or not at all."""
    first, last = events["ts"].to_physical()[0], events["ts"].to_physical()[-1]
    content = hashlib.sha256(events["event_id"].to_numpy().tobytes()).hexdigest()[:16]
    path = directory / f"{kept}-{first}-{last}-{content}.parquet"
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a path would be opened before its mode is narrowed
            events.write_parquet(file, compression="zstd", statistics=True)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
