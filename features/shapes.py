"""Records of one shape, many at a time: logs that come by the million are spared a Python row for each record."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import polars as pl

from features.fields import LARGEST, LATEST, address_or_none

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
    largest
        Of numbers, the largest that the annotation allows.
    """

    annotation: Any
    dtype: pl.DataType | None = None
    default: Any = msgspec.NODEFAULT
    largest: int | None = None


def _whole(largest: int, dtype: pl.DataType) -> Field:
    return Field(Annotated[int, msgspec.Meta(ge=0, le=largest)] | None, dtype, None, largest)


_NEVER = Annotated[int, msgspec.Meta(ge=1, le=0)]
TIME: Final = Field(float | str, pl.Int64())
NEEDED_TEXT: Final = Field(str, pl.String())
NEEDED_WHOLE: Final = Field(Annotated[int, msgspec.Meta(ge=0, le=LARGEST)], pl.Int64(), largest=LARGEST)
NEEDED_TRUTH: Final = Field(bool, pl.Boolean())
TEXT: Final = Field(str | None, pl.String(), None)
TEXTS: Final = Field(list[str] | None, pl.List(pl.String()), None)
WHOLE: Final = _whole(LARGEST, pl.Int64())
STATUS: Final = _whole(2**31 - 1, pl.Int32())
PORT: Final = _whole(65_535, pl.Int32())
NUMBER: Final = Field(float | None, pl.Float64(), None)
ABSENT: Final = Field(_NEVER | msgspec.UnsetType, None, msgspec.UNSET)


def only(value: str) -> Field:
    """Declare a field that is absent, null, or this."""
    return Field(Literal[value] | None, None, None)


class Fields(dict[str, "Field | Fields"]):
    """Fields of a record, or of an object within one, by the name they have there."""


class Shape:
    """Records with the same meaning in the same types.

    Parameters
    ----------
    fields
        Fields that matter.
    events
        Turns a frame of `columns`, and the host of records that name none, into columns of events and `fits`: whether
        the row is what the source itself would make of the record. What does not fit is left to the source.

    Attributes
    ----------
    columns
        Fields that are wanted, by the name of their column: that of the field, and before it those of the objects it
        lies in.
    """

    def __init__(self, fields: Fields, events: Callable[[pl.DataFrame, str | None], pl.DataFrame]) -> None:
        self.fields, self.events = fields, events
        self.columns = {name: field for name, field in _columns(fields) if field.dtype is not None}


def _columns(fields: Fields, within: str = "") -> Iterator[tuple[str, Field]]:
    for name, field in fields.items():
        if isinstance(field, Field):
            yield within + name, field
        else:
            yield from _columns(field, f"{within}{name}.")


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


def micros(seconds: pl.Series) -> pl.Series:
    """Turn seconds since 1970 into microseconds, -1 where they are no time (see `fields.moment`)."""
    exact = np.rint(seconds.to_numpy() * 1_000_000)  # to the even one, as Python rounds
    return pl.Series(seconds.name, np.where((exact >= 0) & (exact < LATEST), exact, -1).astype(np.int64))
