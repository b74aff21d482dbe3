"""Records of one shape, many at a time: logs that come by the million are spared a Python row for each record."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import polars as pl

from features.documents import UNREADABLE, decode_line
from features.fields import LARGEST, LATEST, address_or_none, moment
from features.lines import Lines
from features.protocols import RecordError

_BRACE = ord("{")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"^{_OCTET}(?:\.{_OCTET}){{3}}$"  # written so, an address is canonical already


@dataclass(frozen=True, slots=True)
class Field:
    """How a field must be written in JSON for its record to be read as one of many.

    Parameters
    ----------
    annotation
        Type in msgspec's terms; a value of any other leaves the record to its source.
    dtype
        Type of the column; None if the field is only looked at. `TIME` gives microseconds since 1970, -1 for no time.
    default
        Value if the field is absent; without one, the record is left to its source.
    """

    annotation: Any
    dtype: pl.DataType | None = None
    default: Any = msgspec.NODEFAULT


_NEVER = Annotated[int, msgspec.Meta(ge=1, le=0)]
TIME: Final = Field(float | str, pl.Int64())
NEEDED_TEXT: Final = Field(str, pl.String())
NEEDED_WHOLE: Final = Field(Annotated[int, msgspec.Meta(ge=0, le=LARGEST)], pl.Int64())
NEEDED_TRUTH: Final = Field(bool, pl.Boolean())
TEXT: Final = Field(str | None, pl.String(), None)
TEXTS: Final = Field(list[str] | None, pl.List(pl.String()), None)
WHOLE: Final = Field(Annotated[int, msgspec.Meta(ge=0, le=LARGEST)] | None, pl.Int64(), None)
STATUS: Final = Field(Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None, pl.Int32(), None)
PORT: Final = Field(Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None, pl.Int32(), None)
NUMBER: Final = Field(float | None, pl.Float64(), None)
ABSENT: Final = Field(_NEVER | msgspec.UnsetType, None, msgspec.UNSET)


def only(value: str) -> Field:
    """Declare a field that is absent, null, or this."""
    return Field(Literal[value] | None, None, None)


class Shape:
    """Records with the same meaning in the same types.

    Parameters
    ----------
    fields
        Fields that matter, by the name they have in JSON.
    events
        Turns a frame with a column for each field that has a type into columns of events and `fits`: whether the row
        is what the source itself would make of the record. What does not fit is left to the source.
    """

    def __init__(self, fields: Mapping[str, Field], events: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        self.fields, self.events = fields, events
        names = {name: f"_{position}" for position, name in enumerate(fields)}
        required = [(names[name], f.annotation) for name, f in fields.items() if f.default is msgspec.NODEFAULT]
        optional = [
            (names[name], f.annotation, f.default) for name, f in fields.items() if f.default is not msgspec.NODEFAULT
        ]
        record = msgspec.defstruct(
            "Record", [*required, *optional], rename={short: name for name, short in names.items()}, gc=False
        )
        self._decoder = msgspec.json.Decoder(record)
        self._columns = {name: attrgetter(names[name]) for name, field in fields.items() if field.dtype is not None}

    def run(self, lines: Lines, start: int, stop: int) -> Sequence[msgspec.Struct]:
        """Decode lines from `start` on, up to the first that is not of this shape and at most to `stop`."""
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

    def frame(self, records: Sequence[msgspec.Struct]) -> pl.DataFrame:
        """Put decoded records into columns."""
        return pl.DataFrame(
            [self._column(name, list(map(value, records))) for name, value in self._columns.items()],
            height=len(records),
        )

    def _column(self, name: str, values: list[Any]) -> pl.Series:
        field = self.fields[name]
        return _micros(values).alias(name) if field is TIME else pl.Series(name, values, field.dtype, strict=True)


def canonical(column: pl.Series) -> pl.Series:
    """Write addresses in their canonical form; null where there is none."""
    distinct = column.drop_nulls().unique()
    if distinct.str.contains(_IPV4).all():
        return column
    return column.replace_strict(
        distinct, [address_or_none(value) for value in distinct], default=None, return_dtype=pl.String()
    )


def text(name: str) -> pl.Expr:
    """Take a text column; empty is null."""
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)


def is_ascii(column: pl.Expr) -> pl.Expr:
    """Say which texts are ASCII or null: of those alone all lower cases are the same."""
    return column.str.len_bytes().eq(column.str.len_chars()).fill_null(value=True)


def _micros(values: list[float | str]) -> pl.Series:
    """Turn times into microseconds since 1970, -1 where they are none (see `fields.moment`)."""
    try:
        seconds = pl.Series(values, dtype=pl.Float64(), strict=True).to_numpy()
    except TypeError:  # not all are numbers
        return pl.Series([_moment(value) for value in values], dtype=pl.Int64())
    micros = np.rint(seconds * 1_000_000)  # to the even one, as Python rounds
    return pl.Series(np.where((micros >= 0) & (micros < LATEST), micros, -1).astype(np.int64))


def _moment(value: float | str) -> int:
    try:
        return moment(value, "ts")
    except RecordError:
        return -1
