"""JSON lines many at a time, as the columns of a shape."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import polars as pl

from features.documents import UNREADABLE, Malformed, decode_line
from features.fields import moment
from features.lines import Lines
from features.protocols import Record, RecordError
from features.shapes import TIME, Field, Shape, micros

_BRACE = ord("{")


class JsonColumns:
    """Reads runs of lines that are each one JSON object.

    Parameters
    ----------
    shape
        What the objects are records of.
    """

    together = 4096  # in a whole batch of records, each would have left the processor's cache

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        names = {name: f"_{position}" for position, name in enumerate(shape.fields)}
        required = [(names[n], f.annotation) for n, f in shape.fields.items() if f.default is msgspec.NODEFAULT]
        optional = [
            (names[n], f.annotation, f.default) for n, f in shape.fields.items() if f.default is not msgspec.NODEFAULT
        ]
        record = msgspec.defstruct(
            "Record", [*required, *optional], rename={short: name for name, short in names.items()}, gc=False
        )
        self._decoder = msgspec.json.Decoder(record)
        self._values = {name: attrgetter(names[name]) for name in shape.columns}

    def run(self, lines: Lines, start: int, stop: int) -> Sequence[msgspec.Struct]:
        """Decode lines from `start` on, up to the first that is not of the shape and at most to `stop`."""
        if lines.are_objects and lines.decode_alike:
            try:
                records = self._decoder.decode_lines(lines.text(start, stop))
            except UNREADABLE:
                pass
            else:
                if len(records) == stop - start:
                    return records
        return list(self._one_by_one(lines, start, stop))

    def _one_by_one(self, lines: Lines, start: int, stop: int) -> Iterator[msgspec.Struct]:
        for position in range(start, stop):
            line = lines[position]
            if line[0] != _BRACE or not (lines.decode_alike or decode_line(line) is not None):
                return
            try:
                yield self._decoder.decode(line)
            except UNREADABLE:
                return

    def alone(self, line: bytes) -> Record | Malformed:
        """Read one line in full."""
        record = decode_line(line)
        return Malformed.of(line, "not a JSON object") if record is None else record

    def frame(self, runs: Sequence[Sequence[msgspec.Struct]]) -> pl.DataFrame:
        """Put the records of runs into the columns of the shape."""
        records = list(chain.from_iterable(runs))
        return pl.DataFrame(
            [_column(name, self.shape.columns[name], list(map(value, records))) for name, value in self._values.items()]
        )


def _column(name: str, field: Field, values: list[Any]) -> pl.Series:
    if field is not TIME:
        return pl.Series(name, values, field.dtype, strict=True)
    try:
        return micros(pl.Series(name, values, pl.Float64(), strict=True))
    except TypeError:  # not all are numbers
        return pl.Series(name, [_moment(value) for value in values], pl.Int64())


def _moment(value: float | str) -> int:
    try:
        return moment(value, "ts")
    except RecordError:
        return -1


json_columns = cache(JsonColumns)
