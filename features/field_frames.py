"""Columns named as a source names its fields, as the columns of a shape, or row by row as records."""

from collections.abc import Iterator

import polars as pl
from polars import selectors as cs

from features.protocols import Record
from features.shapes import NEEDED_TRUTH, TEXTS, TIME, Field, Shape, micros


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Give columns the types that values have in JSON: times since 1970 and spans in seconds, categories as text."""
    return frame.with_columns(
        cs.datetime().dt.epoch("us") / 1_000_000,
        cs.duration().dt.total_microseconds() / 1_000_000,
        (cs.categorical() | cs.enum()).cast(pl.String),
    )


def records(frame: pl.DataFrame) -> Iterator[Record]:
    """Give rows of plain columns as records, which lack what is null."""
    for row in frame.iter_rows(named=True):
        yield {name: value for name, value in row.items() if value is not None}


def shaped(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Put rows of plain columns into the columns of a shape.

    Returns
    -------
    As many rows. One that the shape does not fit has the time -1.
    """
    held = [name for name in shape.columns if name in frame.columns]
    cast = frame.select(
        _cast(frame.schema[name], name, field) if name in held else pl.lit(None, field.dtype).alias(name)
        for name, field in shape.columns.items()
    )
    fits = [cast[name].is_not_null() | frame[name].is_null() for name in held]
    limits = {name: field.largest for name, field in shape.columns.items() if field.largest is not None}
    fits += [cast[name].is_between(0, largest).fill_null(value=True) for name, largest in limits.items()]
    fitting = pl.select(pl.all_horizontal(fits)).to_series()
    return cast.with_columns(pl.when(fitting).then(micros(cast["ts"])).otherwise(-1).alias("ts")).cast(
        {name: field.dtype for name, field in shape.columns.items() if field.dtype is not None}, strict=False
    )


def _cast(dtype: pl.DataType, name: str, field: Field) -> pl.Expr:
    """Give what of a column has the meaning of a field."""
    column = pl.col(name)
    if field is TIME or field.dtype == pl.Float64():
        return column.cast(pl.Float64, strict=False) if dtype.is_numeric() else _none(name, pl.Float64())
    if field.largest is not None:
        exact = pl.when(column == column.floor()).then(column) if dtype.is_float() else column
        return exact.cast(pl.Int64, strict=False) if dtype.is_numeric() else _none(name, pl.Int64())
    wanted = pl.Boolean() if field is NEEDED_TRUTH else pl.List(pl.String()) if field is TEXTS else pl.String()
    return column if dtype == wanted else _none(name, wanted)


def _none(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.lit(None, dtype).alias(name)
