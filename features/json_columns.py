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
from features.shapes import TIME, Field, Fields, Shape, micros

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
        self._decoder = msgspec.json.Decoder(_record(shape.fields))

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
        values = dict(_values(self.shape.fields, list(chain.from_iterable(runs))))
        return pl.DataFrame([_column(name, field, values[name]) for name, field in self.shape.columns.items()])


def _record(fields: Fields) -> type[msgspec.Struct]:
    required: list[tuple[str, Any]] = []
    optional: list[tuple[str, Any, Any]] = []
    for place, field in enumerate(fields.values()):
        if not isinstance(field, Field):
            required.append((f"_{place}", _record(field)))
        elif field.default is msgspec.NODEFAULT:
            required.append((f"_{place}", field.annotation))
        else:
            optional.append((f"_{place}", field.annotation, field.default))
    names = {f"_{place}": name for place, name in enumerate(fields)}
    return msgspec.defstruct("Record", [*required, *optional], rename=names, gc=False)


def _values(fields: Fields, records: Sequence[msgspec.Struct], within: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Give the values of fields by the names of their columns, object by object: paths of names cost thrice as much."""
    for place, (name, field) in enumerate(fields.items()):
        if isinstance(field, Field) and field.dtype is None:
            continue
        values = list(map(attrgetter(f"_{place}"), records))
        if isinstance(field, Field):
            yield within + name, values
        else:
            yield from _values(field, values, f"{within}{name}.")


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
