"""Events that were dealt to a bucket, read back: at once where they are few, or else in spans of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import polars as pl
import polars_hash as plh

from features.attributed import COLUMNS, FOR_ATTRIBUTION, Class
from features.events import EVENT_SCHEMA, TIME
from features.flows import ASKED, CONNECTED
from features.partition import Bucket, bucket_of, overlapping
from features.windows import window_start

Span = tuple[datetime | None, datetime | None]
"""Since when, and before when; None is for ever."""

ADDED = {"peer": pl.String(), "external": pl.Boolean(), "healthcheck": pl.String()}  # by attribution
_NUMBER = plh.col("uid").nchash.xxh3_64().alias("connection")  # two with one number are read without need
_NUMBERED = 1 << 20  # events whose connections are numbered at a time


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


def shared(events: pl.LazyFrame, among: Sequence[Span]) -> pl.DataFrame:
    """Read what is needed beyond a span to name where its flows went, whichever span it is.

    That is what is told of connections in more than one span, which are few, and for each workload one look-up.

    Returns
    -------
    `features.flows.ASKED`.
    """
    if len(among) == 1:
        return pl.DataFrame(schema={name: (EVENT_SCHEMA | ADDED)[name] for name in ASKED})
    told = events.filter(pl.col("kind").is_in(CONNECTED) & pl.col("uid").is_not_null())
    cuts = pl.Series([end for _, end in among[:-1]], dtype=TIME)
    parts = 1 + events.select(pl.len()).collect().item() // _NUMBERED
    crossing = pl.concat(_crossing(told.filter(_NUMBER % parts == part), cuts) for part in range(parts))
    rest = told.filter(_NUMBER.is_in(crossing.implode())).select(ASKED).collect()
    lookups = events.filter(pl.col("kind") == "dns").select(ASKED).unique("workload").collect(engine="streaming")
    return pl.concat([rest, lookups])


def _crossing(told: pl.LazyFrame, cuts: pl.Series) -> pl.Series:
    """Give the numbers of connections that are told of in more than one span."""
    connections = told.select(_NUMBER, "ts").collect()
    spans = connections.with_columns(cuts.search_sorted(connections["ts"], "right").alias("span"))
    both = spans.group_by("connection").agg(pl.col("span").min().alias("first"), pl.col("span").max().alias("last"))
    return both.filter(pl.col("first") < pl.col("last"))["connection"]
