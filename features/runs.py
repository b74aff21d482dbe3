"""Runs of lines that are alike: found while a file is read, and turned into events together."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec
import numpy as np
import polars as pl

from features.documents import decode_line
from features.lines import Lines
from features.protocols import Record, Source
from features.shapes import Shape

_LONGEST_PAUSE = 1024
_SOON = 4096  # records: in a whole batch of them, each would have left the processor's cache before it is put in columns


@runtime_checkable
class Columnar(Source, Protocol):
    """A source that also reads many records at a time.

    A record that decodes to one of its shapes and fits must be recognised by the source, and give the row that
    `parse` makes of it.
    """

    @property
    def shapes(self) -> Sequence[Shape]:
        """Shapes of the records that come in numbers."""


@dataclass(frozen=True, slots=True)
class Run:
    """Lines that follow each other and decode to one shape, from a position in `lines` on."""

    source: Columnar
    shape: Shape
    records: Sequence[msgspec.Struct]
    lines: Lines
    start: int

    def __len__(self) -> int:
        return len(self.records)


class Told(NamedTuple):
    """Events of one source from runs, each with the number of its `line`, and the records that did not fit."""

    source: Columnar
    events: pl.DataFrame
    left: list[tuple[int, Record]]


@dataclass(slots=True)
class _Held:
    """Runs of one shape, and their records in columns."""

    source: Columnar
    shape: Shape
    runs: list[tuple[int, Run]] = field(default_factory=list)
    records: list[msgspec.Struct] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)
    height: int = 0

    def add(self, line: int, run: Run) -> None:
        self.runs.append((line, run))
        self.records += run.records
        self.height += len(run)
        if len(self.records) >= _SOON:
            self._frame()

    def _frame(self) -> None:
        self.frames.append(self.shape.frame(self.records))
        self.records = []

    def tell(self) -> Told:
        self._frame()
        events = self.shape.events(pl.concat(self.frames, rechunk=True))
        numbers = np.concatenate([np.arange(line, line + len(run)) for line, run in self.runs])
        events = events.with_columns(pl.Series("line", numbers, pl.Int64))
        misfits = events.filter(~pl.col("fits"))["line"].to_list()
        return Told(self.source, events.filter("fits"), list(self._alone(misfits)))

    def _alone(self, numbers: list[int]) -> Iterator[tuple[int, Record]]:
        """Decode lines in full."""
        firsts = [line for line, _ in self.runs]
        for number in numbers:
            line, run = self.runs[bisect_right(firsts, number) - 1]
            record = decode_line(run.lines[run.start + number - line])
            assert record is not None, f"line {number} decoded before"
            yield number, record


class Runs:
    """Finds runs of one file, and holds them until they are wanted as events."""

    def __init__(self) -> None:
        self._held: dict[Shape, _Held] = {}
        self._latest: Shape | None = None
        self._ahead = 1
        self._pause = self._waiting = 0

    def __len__(self) -> int:
        return sum(held.height for held in self._held.values())

    def find(self, source: Columnar, lines: Lines, at: int, most: int) -> Run | None:
        """Decode as many lines as are of one shape, at most so many; None if the first is of none.

        It is tried with about as many as were alike the last time. After a line of no shape the next are not tried,
        the more of them the longer it has been so: trying costs.
        """
        if self._waiting:
            self._waiting -= 1
            return None
        stop = min(at + most, at + self._ahead, len(lines))
        for shape in sorted(source.shapes, key=lambda shape: shape is not self._latest):
            if records := shape.run(lines, at, stop):
                self._latest, self._pause = shape, 0
                self._ahead = max(self._ahead, 2 * len(records)) if at + len(records) == stop else len(records)
                return Run(source, shape, records, lines, at)
        self._waiting, self._pause = self._pause, min(2 * self._pause + 1, _LONGEST_PAUSE)
        return None

    def hold(self, line: int, run: Run) -> None:
        """Keep a run whose first line has this number."""
        self._held.setdefault(run.shape, _Held(run.source, run.shape)).add(line, run)

    def release(self) -> Iterator[Told]:
        """Give out what was held, as events."""
        taken, self._held = self._held, {}
        return (held.tell() for held in taken.values())
