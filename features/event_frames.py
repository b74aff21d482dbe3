"""Events that were written elsewhere, a lake's own files among them: checked before they are believed."""

from collections.abc import Collection

import polars as pl

from features.events import EVENT_SCHEMA, KINDS, TIME, conform
from features.fields import LATEST

_NEEDED = ("ts", "source", "kind", "record_id")


def holds_events(schema: pl.Schema) -> bool:
    """Say from its columns whether a frame is of events."""
    return all(name in schema for name in _NEEDED) and isinstance(schema["ts"], pl.Datetime)


def checked(frame: pl.DataFrame, sources: Collection[str]) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """Take the rows of a frame that are events.

    Parameters
    ----------
    frame
        Rows of `holds_events`, with their number as `line`; a time without a zone is UTC.
    sources
        Sources that an event may be of.

    Returns
    -------
    Events with their `line`; and of each other row, the number and why it is none.
    """
    columns = {name: dtype for name, dtype in EVENT_SCHEMA.items() if name in frame.columns}
    cast = frame.select(_cast(frame, name, dtype) for name, dtype in columns.items())
    converted = [name for name, dtype in columns.items() if frame.schema[name] != dtype]
    lost = [(name, cast[name].is_null() & frame[name].is_not_null()) for name in converted]
    time = cast["ts"].to_physical()
    faults = [
        ("ts is missing, or outside 1970 to 2099", ~time.is_between(0, LATEST, closed="left").fill_null(value=False)),
        ("source is none of those that are read", ~cast["source"].is_in(list(sources)).fill_null(value=False)),
        ("there is no such kind of event", ~cast["kind"].is_in(list(KINDS)).fill_null(value=False)),
        *((f"{name} is not of its type", rows) for name, rows in lost),
    ]
    why = pl.select(pl.coalesce(pl.when(rows).then(pl.lit(fault)) for fault, rows in faults)).to_series()
    bad = pl.DataFrame({"line": frame["line"], "why": why}).drop_nulls("why")
    good = why.is_null()
    return conform(cast.filter(good)).with_columns(line=frame["line"].filter(good)), bad.rows()


def _cast(frame: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if name == "ts" and isinstance(naive := frame.schema[name], pl.Datetime) and naive.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return column.cast(TIME if name == "ts" else dtype, strict=False)
