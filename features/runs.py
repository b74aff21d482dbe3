"""Runs of lines that are alike: found while a file is read, and turned into events together."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import polars as pl

from features.documents import Malformed
from features.json_columns import JsonColumns, json_columns
from features.lines import Lines
from features.protocols import Record, Source
from features.shapes import Shape
from features.zeek_columns import ZeekColumns, zeek_columns
from features.zeek_tsv import ZeekTable

_LONGEST_PAUSE = 1024


@runtime_checkable
class Columnar(Source, Protocol):
    """A source that also reads many records at a time.

    A record that is of one of its shapes and fits must be recognised by the source, and give the row that `parse`
    makes of it.
    """

    @property
    def shapes(self) -> Sequence[Shape]:
        """Shapes of the records that come in numbers."""

    @property
    def tables(self) -> Mapping[str, Shape]:
        """Shapes of rows, by the name of their log: the path in a header of Zeek's tab-separated form."""

    def log_of(self, fields: Collection[str]) -> str | None:
        """Tell the log of rows that do not name it by their fields."""


@dataclass(frozen=True, slots=True)
class Run:
    """Lines that follow each other and are of one shape, from a position in `lines` on, as their reader took them."""

    source: Columnar
    reader: JsonColumns | ZeekColumns
    records: Any
    lines: Lines
    start: int

    def __len__(self) -> int:
        return len(self.records)


class Told(NamedTuple):
    """Events of one source from runs, each with the number of its `line`, and the records that did not fit."""

    source: Columnar
    events: pl.DataFrame
    left: list[tuple[int, Record | Malformed]]


class _Place(NamedTuple):
    """Where the lines of a run stand, from the number of the first on."""

    line: int
    lines: Lines
    start: int
    reader: JsonColumns | ZeekColumns


@dataclass(slots=True)
class _Held:
    """Runs of one shape. Their records wait to be put in columns, some together."""

    source: Columnar
    shape: Shape
    places: list[_Place] = field(default_factory=list)
    numbers: list[range] = field(default_factory=list)
    waiting: list[Any] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)

    def add(self, line: int, run: Run) -> None:
        """Keep a run whose first line has this number."""
        if self.places and self.places[-1].reader is not run.reader:
            self._frame()
        self.places.append(_Place(line, run.lines, run.start, run.reader))
        self.numbers.append(range(line, line + len(run)))
        self.waiting.append(run.records)
        if sum(map(len, self.waiting)) >= run.reader.together:
            self._frame()

    def _frame(self) -> None:
        if self.waiting:
            self.frames.append(self.places[-1].reader.frame(self.waiting))
            self.waiting = []

    def tell(self, host: str | None) -> Told:
        """Turn all into events, those that name no host of this one."""
        self._frame()
        numbers = pl.Series("line", np.concatenate(self.numbers), pl.Int64)
        events = self.shape.events(pl.concat(self.frames, rechunk=True), host).with_columns(numbers)
        misfits = events.filter(~pl.col("fits"))["line"].to_list()
        return Told(self.source, events.filter("fits"), [(number, self._alone(number)) for number in misfits])

    def _alone(self, number: int) -> Record | Malformed:
        place = self.places[bisect_right(self.places, number, key=lambda place: place.line) - 1]
        return place.reader.alone(place.lines[place.start + number - place.line])


class Runs:
    """Finds runs of one file, and holds them until they are wanted as events.

    Parameters
    ----------
    host
        Host of records that name none.
    """

    def __init__(self, host: str | None) -> None:
        self._host = host
        self._held: dict[Shape, _Held] = {}
        self._latest: JsonColumns | ZeekColumns | None = None
        self._ahead = 1
        self._pause = self._waiting = 0
        self._height = 0

    def __len__(self) -> int:
        return self._height

    def find(self, source: Columnar, lines: Lines, at: int, most: int, table: ZeekTable) -> Run | None:
        """Make a run of as many lines as are of one shape, at most so many; None if the first is of none.

        It is tried with about as many as were alike the last time. After a line of no shape the next are not tried,
        the more of them the longer it has been so: trying costs.
        """
        if self._waiting:
            self._waiting -= 1
            return None
        stop = min(at + most, at + self._ahead, len(lines))
        for reader in sorted(_readers(source, table), key=lambda reader: reader is not self._latest):
            records = reader.run(lines, at, stop)
            if count := len(records):
                self._latest, self._pause = reader, 0
                self._ahead = max(self._ahead, 2 * count) if at + count == stop else count
                return Run(source, reader, records, lines, at)
        self._waiting, self._pause = self._pause, min(2 * self._pause + 1, _LONGEST_PAUSE)
        return None

    def hold(self, line: int, run: Run) -> None:
        """Keep a run whose first line has this number."""
        self._height += len(run)
        self._held.setdefault(run.reader.shape, _Held(run.source, run.reader.shape)).add(line, run)

    def release(self) -> Iterator[Told]:
        """Give out what was held, as events."""
        taken, self._held, self._height = self._held, {}, 0
        return (held.tell(self._host) for held in taken.values())


def _readers(source: Columnar, table: ZeekTable) -> list[JsonColumns | ZeekColumns]:
    readers: list[JsonColumns | ZeekColumns] = [json_columns(shape) for shape in source.shapes]
    shape = source.tables.get(table.path or "")
    if shape is not None and (rows := zeek_columns(table, shape)) is not None:
        readers.append(rows)
    return readers
