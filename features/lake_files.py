"""Files of the lake: what their names tell, and events read from them and written to them."""

import hashlib
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import EPOCH, SCHEMA_VERSION
from features.migrations import migrated, schema_of
from features.stores import Store

_MICROSECOND = timedelta(microseconds=1)
MOST_ROWS: Final = 250_000  # of one file: what a task holds in memory
ROW_GROUP: Final = 1 << 16  # of what is read at a time
VERSION_KEY: Final = "wharfinger.schema"  # in the metadata of a Parquet file
_LEVEL = 2  # of zstd: a third less work than polars' own 3, and no larger (decision 22)
_NAME = re.compile(
    r"date=(?P<day>\d{4}-\d\d-\d\d)/((?P<kept>[a-z]+)-)?(?P<first>\d+)-(?P<last>\d+)-\w+(\.v(?P<version>\d+))?\.parquet"
)


class LakeError(Exception):
    """The lake cannot be read or changed; the message is one line and says what to do."""


class BusyError(LakeError):
    """Somebody else is at the same work."""


class File(NamedTuple):
    """A file of the lake, as its name tells of it.

    Its class (None from before there were classes), the times of its first and last event in µs since 1970, the
    version of the schema that it was written with, and its size in bytes.
    """

    name: str
    day: date
    kept: str | None
    first: int
    last: int
    version: int
    size: int

    def overlaps(self, first: int, last: int | None) -> bool:
        """Tell whether the file's span meets another; both include their ends, None is for ever."""
        return self.last >= first and (last is None or self.first <= last)


def listed(store: Store, day: date | None = None) -> list[File]:
    """List the lake's files, of one day or all, by name."""
    folder = None if day is None else _folder(day)
    found = ((_NAME.fullmatch(stored.name), stored) for stored in store.list(folder))
    return sorted(
        File(
            stored.name,
            date.fromisoformat(name["day"]),
            name["kept"],
            int(name["first"]),
            int(name["last"]),
            int(name["version"] or 0),
            stored.size,
        )
        for name, stored in found
        if name
    )


def scan(store: Store, files: Iterable[File]) -> pl.LazyFrame:
    """Scan files of any version of the schema, at least one, as events of today's.

    Raises
    ------
    LakeError
        If a file was written with a version that is not known here.
    """
    by_version: dict[int, list[File]] = {}
    for file in files:
        by_version.setdefault(file.version, []).append(file)
    newest = max(by_version)
    if newest > SCHEMA_VERSION:
        raise LakeError(
            f"{store.location(by_version[newest][0].name)} has schema version {newest} and this wharfinger knows "
            f"{SCHEMA_VERSION} at most: upgrade wharfinger, or move the file out of the lake"
        )
    return pl.concat([_scan(store, held, version) for version, held in sorted(by_version.items())])


def _scan(store: Store, files: Sequence[File], version: int) -> pl.LazyFrame:
    read = pl.scan_parquet(
        [store.location(file.name) for file in files],
        schema=schema_of(version),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
        storage_options=dict(store.options) or None,
        credential_provider=None,
    )
    return migrated(read, version)


def asked(since: datetime | None, until: datetime | None, kinds: Collection[str] | None) -> pl.Expr:
    """Select events with `since <= ts < until` of some kinds."""
    found = pl.lit(value=True)
    if since is not None:
        found &= pl.col("ts") >= since
    if until is not None:
        found &= pl.col("ts") < until
    if kinds is not None:
        found &= pl.col("kind").is_in(sorted(kinds))
    return found


def in_slices(
    store: Store,
    files: Sequence[File],
    since: datetime,
    until: datetime,
    kinds: Collection[str],
    columns: Sequence[str],
) -> Iterator[pl.DataFrame]:
    """Read events of files, at most `ROW_GROUP` at a time: in no order, and twice those that two files hold."""
    for file in files:
        whole = scan(store, [file])
        for start in range(0, rows(store, [file]), ROW_GROUP):
            yield whole.slice(start, ROW_GROUP).filter(asked(since, until, kinds)).select(columns).collect()


def rows(store: Store, files: Sequence[File]) -> int:
    """Count the events of files, without reading them."""
    return int(scan(store, files).select(pl.len()).collect().item())


def size_of(files: Iterable[File]) -> int:
    """Sum up the bytes of files."""
    return sum(file.size for file in files)


def once(events: pl.DataFrame) -> pl.DataFrame:
    """Sort events by time and id, each once; what is in order already is not touched."""
    keys = events.select("ts", "event_id")
    before = keys.shift()
    later = (keys["ts"] > before["ts"]) | ((keys["ts"] == before["ts"]) & (keys["event_id"] > before["event_id"]))
    if later.all():  # nulls, as that of the first, are passed over
        return events
    keys = keys.with_row_index("row").sort("ts", "event_id", "row")
    return events[keys.filter(pl.col("event_id").ne_missing(pl.col("event_id").shift()))["row"]]


def write_parts(store: Store, day: date, kept: str, events: pl.DataFrame) -> list[File]:
    """Write sorted events of one day and class as files of at most `MOST_ROWS`."""
    return [_write(store, day, kept, part) for part in cut(events)]


def cut(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Cut sorted events into what makes the fewest files."""
    yield from events.iter_slices(MOST_ROWS)


def fewest(count: int) -> int:
    """Give the number of files that so many events need."""
    return -(-count // MOST_ROWS)


def name_of(day: date, kept: str, times: pl.Series, ids: NDArray[np.uint64]) -> str:
    """Give the name of a file of sorted events: the same events have the same."""
    first, last = times.to_physical()[0], times.to_physical()[-1]
    content = hashlib.sha256(ids.tobytes()).hexdigest()[:16]
    return f"{_folder(day)}/{kept}-{first}-{last}-{content}.v{SCHEMA_VERSION}.parquet"


def _write(store: Store, day: date, kept: str, events: pl.DataFrame) -> File:
    name = name_of(day, kept, events["ts"], events["event_id"].to_numpy())
    told = [column.name for column in events if column.null_count() < events.height]
    content = io.BytesIO()
    events.select(told).write_parquet(
        content,
        compression="zstd",
        compression_level=_LEVEL,
        row_group_size=ROW_GROUP,
        metadata={VERSION_KEY: str(SCHEMA_VERSION)},
    )
    store.write(name, content.getbuffer())
    first, last = events["ts"].to_physical()[0], events["ts"].to_physical()[-1]
    return File(name, day, kept, first, last, SCHEMA_VERSION, content.tell())


def days_of(events: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    """Cut events that are sorted by time at each midnight in UTC."""
    days = events["ts"].dt.date()
    for day in days.unique(maintain_order=True):
        yield day, events[days.search_sorted(day, "left") : days.search_sorted(day, "right")]


def micros(moment: datetime) -> int:
    """Give a time in µs since 1970, as the names of files do."""
    return (moment - EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    """Give the time of µs since 1970."""
    return EPOCH + timedelta(microseconds=micros)


def _folder(day: date) -> str:
    return f"date={day.isoformat()}"
