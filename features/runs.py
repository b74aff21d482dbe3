"""Runs of lines that are alike: found while a file is read, and turned into events together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import polars as pl

from features.documents import decode_line
from features.protocols import Source
from features.shapes import Shape, decodes_alike

_LONGEST_PAUSE = 1024


@runtime_checkable
class Columnar(Source, Protocol):
    """A source that also reads many records at a time.

    A record that decodes to one of its shapes and fits must be recognised by the source, and give the row that
    `parse` makes of it.
    """

    @property
    def shapes(self) -> Sequence[Shape]:
        """Shapes of the records that come in numbers."""


class Run(NamedTuple):
    """Lines that follow each other and decode to one shape."""

    source: Columnar
    shape: Shape
    frame: pl.DataFrame
    pieces: Sequence[bytes]


@dataclass(slots=True)
class _Held:
    source: Columnar
    lines: list[int] = field(default_factory=list)
    parts: list[pl.DataFrame] = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)


class Told(NamedTuple):
    """Events of one source from runs, each with the number of its `line`, and the lines that did not fit."""

    source: Columnar
    events: pl.DataFrame
    left: list[tuple[int, bytes]]


class Runs:
    """Finds runs of one file, and holds them until they are wanted as events."""

    def __init__(self) -> None:
        self._held: dict[Shape, _Held] = {}
        self._latest: Shape | None = None
        self._pause = self._waiting = 0

    def __len__(self) -> int:
        return sum(len(held.lines) for held in self._held.values())

    def find(self, source: Columnar, pieces: Sequence[bytes], at: int, most: int) -> Run | None:
        """Decode as many lines as are of one shape, at most so many; None if the first is of none.

        After a line of no shape the next are not tried, the more of them the longer it has been so: trying costs.
        """
        if self._waiting:
            self._waiting -= 1
            return None
        for shape in sorted(source.shapes, key=lambda shape: shape is not self._latest):
            if records := shape.run(pieces, at, most):
                self._latest, self._pause = shape, 0
                # at once: in a whole batch of records, each would have left the processor's cache
                return Run(source, shape, shape.frame(records), pieces[at : at + len(records)])
        self._waiting, self._pause = self._pause, min(2 * self._pause + 1, _LONGEST_PAUSE)
        return None

    def hold(self, line: int, run: Run) -> None:
        """Keep a run whose first line has this number."""
        held = self._held.setdefault(run.shape, _Held(run.source))
        held.lines += range(line, line + len(run.pieces))
        held.parts.append(run.frame)
        held.pieces += run.pieces

    def release(self) -> Iterator[Told]:
        """Give out what was held, as events."""
        taken, self._held = self._held, {}
        for shape, held in taken.items():
            events = shape.events(pl.concat(held.parts, rechunk=True))
            events = events.with_columns(pl.Series("line", held.lines, pl.Int64))
            if not decodes_alike(b"".join(held.pieces)):
                whole = pl.Series([decode_line(piece) is not None for piece in held.pieces])
                events = events.with_columns(fits=pl.col("fits") & whole)
            left = events.select((~pl.col("fits")).arg_true()).to_series()
            yield Told(held.source, events.filter("fits"), [(held.lines[n], held.pieces[n]) for n in left])
