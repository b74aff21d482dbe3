"""Events that were dealt to a bucket, read back: at once where they are few, or else in spans of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import polars as pl

from features.attributed import COLUMNS, FOR_ATTRIBUTION, Class
from features.events import EVENT_SCHEMA
from features.flows import ASKED, CONNECTED
from features.lake_files import asked
from features.partition import Bucket, bucket_of, overlapping
from features.windows import window_start

Span = tuple[datetime | None, datetime | None]
"""Since when, and before when; None is for ever."""

ADDED = {"peer": pl.String(), "external": pl.Boolean(), "healthcheck": pl.String()}  # by attribution
_CONNECTION = ["workload", "uid"]


@dataclass(frozen=True)
class Dealt:
    """A day whose events were dealt to buckets.

    Parameters
    ----------
    folder
        Where they lie (`features.attributed`).
    buckets
        How many buckets there are.
    last_traffic, last_control
        Time of the last event of each class, in all buckets; before the day if it has none.
    heard
        Whether a DNS look-up was seen.
    """

    folder: Path
    buckets: int
    last_traffic: datetime
    last_control: datetime
    heard: bool

    def scan(self, holds: Class, bucket: Bucket, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """Scan the events of one class in a bucket, in no order and some of them twice.

        Where the bucket is none of those that the day was dealt to, flows that came from other buckets are left out.

        Parameters
        ----------
        columns
            Columns to read, of events that name their workload; None: all columns, of all events.
        """
        schema = {name: EVENT_SCHEMA[name] for name in COLUMNS[holds] if name not in FOR_ATTRIBUTION[holds]} | ADDED
        paths = [
            path
            for index in overlapping(bucket, self.buckets)
            for path in sorted((self.folder / f"bucket={index:05d}").glob(f"{holds}-*.parquet"))
        ]
        if not paths:
            return pl.LazyFrame(schema=schema).select(columns or pl.all())
        events = pl.scan_parquet(
            paths, schema=schema, missing_columns="insert", extra_columns="ignore", hive_partitioning=False, glob=False
        )
        if self.buckets != bucket[1]:
            events = events.filter(bucket_of("workload", bucket[1]) == bucket[0])
        if columns is not None:
            events = events.filter(pl.col("workload").is_not_null()).select(columns)
        return events


def spans(events: pl.LazyFrame, most: int) -> list[Span]:
    """Cut time between windows so that each span has at most `most` events; a window that has more is one."""
    if events.select(pl.len()).collect().item() <= most:
        return [(None, None)]
    cuts: list[datetime] = []
    held = 0
    for start, count in events.group_by(window_start()).len().collect(engine="streaming").sort("window_start").rows():
        if held and held + count > most:
            cuts.append(start)
            held = 0
        held += count
    return list(pairwise([None, *cuts, None]))


def naming(events: pl.LazyFrame, own: pl.DataFrame, span: Span) -> pl.DataFrame | None:
    """Read what lies beyond a span and has a say in how the flows of its `own` events are named.

    That is the rest of their connections, and for each workload one look-up, if there is any.

    Returns
    -------
    `features.flows.ASKED`; None where nothing lies beyond the span.
    """
    if span == (None, None):
        return None
    beyond = events.filter(~asked(*span, None)).select(ASKED)
    connections = own.select(_CONNECTION).drop_nulls().unique().lazy()
    rest = beyond.filter(pl.col("kind").is_in(CONNECTED)).join(connections, on=_CONNECTION, how="semi")
    lookups = beyond.filter(pl.col("kind") == "dns").unique("workload")
    return pl.concat([rest, lookups]).collect(engine="streaming")
