"""Compaction: the files of a day and class rewritten as few, sorted by time, in today's schema."""

from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from features.classes import by_class
from features.events import SCHEMA_VERSION
from features.lake_files import File, cut, fewest, name_of, once, rows, scan, write_parts
from features.stores import Store


def is_compact(store: Store, files: Sequence[File]) -> bool:
    """Tell whether the files of a day and class are as few as may be, part its time among them and are not outdated."""
    if any(file.version < SCHEMA_VERSION for file in files):
        return False
    in_order = sorted(files, key=lambda file: (file.first, file.last))
    if any(before.last > after.first for before, after in pairwise(in_order)):
        return False
    return len(files) <= fewest(rows(store, files))


def compact(store: Store, files: Sequence[File]) -> list[File]:
    """Rewrite the files of a day and class, and give those that are there then.

    Ends of the new files are found from times and ids alone, then each is read from the old ones that it meets and
    written, so that memory holds one file's events and 16 bytes for each of the day. Old files go when all is written:
    killed before, the events are there twice, which readers and the next compaction see to. That one writes nothing
    again that is there already.
    """
    day, kept = files[0].day, files[0].kept
    if kept is None:
        raise ValueError("files from before there were classes are parted first")
    keys = once(scan(store, files).select("ts", "event_id").collect())
    there = {file.name: file for file in files}
    result: list[File] = []
    for part in cut(keys):
        name = name_of(day, kept, part["ts"], part["event_id"].to_numpy())
        result += [there[name]] if name in there else write_parts(store, day, kept, _between(store, files, part))
    store.delete(there.keys() - {file.name for file in result})
    return result


def _between(store: Store, files: Sequence[File], keys: pl.DataFrame) -> pl.DataFrame:
    """Read the events from the first to the last of sorted keys, the ends included."""
    (first, least), (last, most) = keys.row(0), keys.row(-1)
    start, end = keys["ts"].to_physical()[0], keys["ts"].to_physical()[-1]
    met = scan(store, [file for file in files if file.overlaps(start, end)])
    within = pl.col("ts").is_between(first, last)
    before = (pl.col("ts") == first) & (pl.col("event_id") < least)
    after = (pl.col("ts") == last) & (pl.col("event_id") > most)
    return once(met.filter(within & ~before & ~after).collect())


def part(store: Store, file: File) -> None:
    """Rewrite a file from before there were classes as one, or more, of each class."""
    for kept, events in by_class(once(scan(store, [file]).collect())):
        write_parts(store, file.day, kept, events)
    store.delete([file.name])
