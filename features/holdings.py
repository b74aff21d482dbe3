"""What a lake holds of each day and class."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple

from features.events import SCHEMA_VERSION
from features.lake_files import File, moment, rows, size_of
from features.stores import Store


class Holding(NamedTuple):
    """A day and class: number of files, `old` of them in an earlier schema, of events and of bytes, and their span.

    The class is None for files from before there were classes.
    """

    day: date
    kept: str | None
    files: int
    old: int
    events: int
    size: int
    first: datetime
    last: datetime


def by_day_and_class(files: Iterable[File]) -> Iterator[list[File]]:
    """Group files by day, then class."""

    def place(file: File) -> tuple[date, str]:
        return file.day, file.kept or ""

    for _, held in groupby(sorted(files, key=place), place):
        yield list(held)


def holding(store: Store, files: list[File]) -> Holding:
    """Sum up the files of a day and class; events that a killed merge left twice count twice."""
    return Holding(
        files[0].day,
        files[0].kept,
        len(files),
        sum(file.version < SCHEMA_VERSION for file in files),
        rows(store, files),
        size_of(files),
        moment(min(file.first for file in files)),
        moment(max(file.last for file in files)),
    )
