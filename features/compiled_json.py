"""JSON lines many at a time by machine code where numba is installed: as far as their fields are spelt as lines before.

Nothing here imports numba before `prepare` is called: that takes half a second, and seconds where the code has yet to
be compiled.
"""

import io
import re
import types
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.lines import Lines
from features.shapes import NEEDED_TRUTH, TEXTS, TIME, Field, Shape, micros

WORTH: Final = 250_000  # lines that take a decoder as long as it takes to load the machine code
_MOST_HEADS = 256  # of a log; one whose keys are data is left to the decoder
_MEMBER = re.compile(rb'([{,] ?"([^"\\]*)": ?)("[^"\\]*"|\[[^\[\]{}]*\]|[^\s"\[\]{},]+)')


@cache
def prepare() -> bool:
    """Load the kernel, compiling it unless an earlier process has; return whether it can be used."""
    try:
        _kernel()
    except ImportError:
        return False
    return True


@cache
def _kernel() -> types.ModuleType:
    from features import json_kernel  # noqa: PLC0415 - see the module's docstring

    return json_kernel


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Records that were read together: what the kernel wrote of them, (fields, records), and the text it points to."""

    letters: NDArray[np.uint8]
    values: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.values.shape[1])


class CompiledJson:
    """Reads runs of lines that are each one JSON object of a shape, written without frills.

    What stands before each value is learnt from the first line that shows it.

    Parameters
    ----------
    shape
        What the objects are records of.
    """

    together = 50_000

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._columns = list(shape.columns.items())
        self._places = {name: place for place, (name, _) in enumerate(self._columns)}
        self._fields = np.array([(_kind(field), field.largest or 0) for _, field in self._columns])
        self._needed = [place for place, (_, f) in enumerate(self._columns) if f.default is msgspec.NODEFAULT]
        self._heads: list[tuple[bytes, int]] = []
        self._tables = self._as_tables()

    def run(self, lines: Lines, start: int, stop: int) -> Cells | None:
        """Read lines from `start` on, up to the first that is not of the shape or not plain, and at most to `stop`."""
        if not lines.is_utf8:
            return None
        read = self._read(lines, start, stop)
        while not len(read) and self._learn(lines[start]):
            read = self._read(lines, start, stop)
        return read if len(read) else None

    def _read(self, lines: Lines, start: int, stop: int) -> Cells:
        kernel = _kernel()
        letters = lines.padded(kernel.PADDING)
        words = np.lib.stride_tricks.as_strided(letters[:8].view(np.uint64), (letters.size - 7,), (1,))
        values = np.empty((len(self._columns), stop - start), np.int64)
        begin = np.uint64(lines.begin(start))
        values = values[:, : kernel.read_objects(letters, words, begin, *self._tables, self._fields, values)]
        absent = np.where(self._fields[self._needed, :1] == kernel.NUMBER, kernel.NO_NUMBER, kernel.ABSENT)
        lacks = (values[self._needed] == absent).any(axis=0)
        return Cells(letters, values[:, : lacks.argmax()] if lacks.any() else values)

    def _learn(self, line: bytes) -> bool:
        """Take in the heads of a line; return whether any was new."""
        known, at, before = {head for head, _ in self._heads}, 0, 0
        count = len(self._heads)
        while (member := _MEMBER.match(line, at)) and len(self._heads) < _MOST_HEADS:
            head, name, value = member.groups()
            field = self._shape.fields.get(name.decode())
            place = self._places.get(name.decode(), _kernel().SKIPPED)
            if isinstance(field, Field) and field.dtype is None:
                if field.value is None or value != msgspec.json.encode(field.value):
                    break
                head, place = head + value, _kernel().SAID
            if len(head) > 8 * _kernel().WIDTH:
                break
            if head not in known:
                self._heads.insert(before, (head, place))
                known.add(head)
            before = 1 + next(place for place, (known_head, _) in enumerate(self._heads) if known_head == head)
            at = member.end()
        self._tables = self._as_tables()
        return len(self._heads) > count

    def _as_tables(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        width = _kernel().WIDTH
        words = b"".join(head.ljust(8 * width, b"\0") for head, _ in self._heads)
        marks = np.array([(len(head), place) for head, place in self._heads], np.int64)
        return np.frombuffer(bytearray(words), np.uint64).reshape(-1, width), marks.reshape(-1, 2)

    def frame(self, runs: Sequence[Cells]) -> pl.DataFrame:
        """Put the records of runs into the columns of the shape."""
        return pl.DataFrame([_column(name, field, place, runs) for place, (name, field) in enumerate(self._columns)])


def _kind(field: Field) -> int:
    kernel = _kernel()
    if field.largest is not None:
        return int(kernel.WHOLE)
    if field is NEEDED_TRUTH:
        return int(kernel.TRUTH)
    if field is TEXTS:
        return int(kernel.TEXTS)
    return int(kernel.TEXT if field.dtype == pl.String() else kernel.NUMBER)


def _column(name: str, field: Field, place: int, runs: Sequence[Cells]) -> pl.Series:
    values = np.concatenate([run.values[place] for run in runs])
    if field.dtype == pl.Float64():
        return pl.Series(name, values.view(np.float64), nan_to_null=True)
    if field is TIME:
        return micros(pl.Series(name, values.view(np.float64)))
    there = pl.Series(values) >= 0
    column = pl.Series(name, values) if field.largest is not None or field is NEEDED_TRUTH else _texts(place, runs)
    if field is TEXTS:
        column = column.str.strip_prefix('"').str.strip_suffix('"').str.split('","')
        column = pl.select(pl.when(pl.Series(values & 0xFFFFFFFF) > 0).then(column).otherwise([])).to_series()
    if not there.all():
        column = pl.select(pl.when(there).then(column)).to_series()
    return column.cast(field.dtype).alias(name) if field.dtype is not None else column


def _texts(place: int, runs: Sequence[Cells]) -> pl.Series:
    into = np.empty(max(run.letters.size + len(run) for run in runs), np.uint8)
    written = [
        into[: _kernel().spell(run.letters, np.ascontiguousarray(run.values[place]), into)].tobytes() for run in runs
    ]
    return pl.scan_lines(io.BytesIO(b"".join(written))).collect().to_series()
