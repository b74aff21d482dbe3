"""Frames that hold a source's logs, as columnar files do, turned into events."""

from collections.abc import Iterator

import polars as pl

from features.field_frames import plain, records, shaped
from features.runs import Columnar, Told

_NAMES_OF_LOGS = ("_path", "@stream")


def told(source: Columnar, frame: pl.DataFrame, host: str | None) -> Iterator[Told]:
    """Turn rows into events.

    Parameters
    ----------
    frame
        A column for each field, and the number of each row as `line`. Endpoints may be spelt `id_orig_h`.
    host
        Host of rows that name none.
    """
    named = {name: name.replace("id_", "id.", 1) for name in frame.columns if name.startswith(("id_orig_", "id_resp_"))}
    frame = plain(frame.rename(named) if set(named.values()).isdisjoint(frame.columns) else frame)
    for log, part in _by_log(source, frame):
        yield _told(source, log, part, host)


def _by_log(source: Columnar, frame: pl.DataFrame) -> Iterator[tuple[str | None, pl.DataFrame]]:
    named = next((name for name in _NAMES_OF_LOGS if frame.schema.get(name) == pl.String), None)
    if named is None:
        yield source.log_of(frame.columns), frame
        return
    for (log,), part in frame.partition_by(named, as_dict=True, maintain_order=True).items():
        yield log, part


def _told(source: Columnar, log: str | None, part: pl.DataFrame, host: str | None) -> Told:
    if (shape := source.tables.get(log or "")) is None:
        nothing = {"line": pl.Int64, "host": pl.String}
        events, alone = pl.DataFrame(schema=nothing), part
    else:
        all_events = shape.events(shaped(part, shape), host).with_columns(part["line"])
        events, alone = all_events.filter("fits"), part.filter(~all_events["fits"])
    log_named = {} if log is None else {_NAMES_OF_LOGS[0]: log}
    left = zip(alone["line"], records(alone.drop("line")), strict=True)
    return Told(source, events, [(line, log_named | record) for line, record in left])
