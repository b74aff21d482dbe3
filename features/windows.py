"""Tumbling windows on event time, and the tables that hold what was found in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from features.events import TIME

WINDOW = timedelta(minutes=10)
TRAILING = timedelta(hours=24)
KEY = ("workload", "window_start")
_WINDOW_MICROS = int(WINDOW.total_seconds()) * 1_000_000
_HALF = 1 << 32  # two numbers below it share one of 64 bits

VALUES_SCHEMA = {"workload": pl.String(), "window_start": TIME}
ITEMS_SCHEMA = VALUES_SCHEMA | {"feature": pl.String(), "item": pl.String(), "count": pl.Int64()}
FACTS_SCHEMA = {"workload": pl.String(), "image_repository": pl.String()}


@dataclass(frozen=True)
class Windows:
    """Features of windows.

    Parameters
    ----------
    values
        One row per window: `workload, window_start` and a Float64 column per count and magnitude; null where the window
        has nothing to measure.
    items
        `workload, window_start, feature, item, count`.
    facts
        `workload, image_repository`: what a workload runs, for back-off.
    """

    values: pl.DataFrame
    items: pl.DataFrame
    facts: pl.DataFrame

    def between(self, since: datetime | None, until: datetime | None) -> "Windows":
        """Keep the windows that start at or after `since` and before `until`."""
        inside = pl.lit(value=True)
        if since is not None:
            inside &= pl.col("window_start") >= since
        if until is not None:
            inside &= pl.col("window_start") < until
        return Windows(self.values.filter(inside), self.items.filter(inside), self.facts)

    def of(self, workloads: pl.Series) -> "Windows":
        """Keep the windows of some workloads, and what is said of them."""
        asked = pl.DataFrame({"workload": workloads.unique()})
        parts = (self.values, self.items, self.facts)
        return Windows(*(part.join(asked, on="workload", how="semi", maintain_order="left") for part in parts))


def only_met(items: pl.DataFrame) -> Windows:
    """Make windows in which these items were met and nothing was measured."""
    return Windows(items.select(KEY).unique().sort(KEY), items, pl.DataFrame(schema=FACTS_SCHEMA))


def window_start() -> pl.Expr:
    """Give the start of the window an event lies in."""
    return pl.col("ts").dt.truncate(WINDOW).alias("window_start")


def count_items(events: pl.DataFrame | pl.LazyFrame, feature: str, item: pl.Expr) -> pl.DataFrame:
    """Count the items of a feature per window of events that carry `window_start`; a null item is none."""
    return (
        events.lazy()
        .select(*KEY, item.alias("item"))
        .drop_nulls()
        .group_by(*KEY, "item")
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .select(*KEY, pl.lit(feature).alias("feature"), "item", "count")
        .collect(engine="streaming")
    )


def in_order(items: pl.DataFrame) -> pl.DataFrame:
    """Sort items (`ITEMS_SCHEMA`, no nulls) by window, feature and item.

    Texts repeat, and comparing them is most of sorting: each is sorted once, and rows by the places of theirs.
    """
    workload, feature, item = (_places(items[name]) for name in ("workload", "feature", "item"))
    window = items["window_start"].to_physical() // _WINDOW_MICROS
    by_window, by_item = workload * _HALF + window, feature * _HALF + item
    return items[np.lexsort((by_item.to_numpy(), by_window.to_numpy()))]


def _places(texts: pl.Series) -> pl.Series:
    return texts.cast(pl.Enum(texts.unique().sort())).to_physical().cast(pl.Int64)


def floor_window(moment: datetime) -> datetime:
    """Give the start of the window that `moment` lies in."""
    seconds = WINDOW.total_seconds()
    return moment - timedelta(seconds=moment.timestamp() % seconds)


def merge_windows(parts: list[Windows]) -> Windows:
    """Merge windows extracted apart, of other spans or of other events; of facts the latest wins."""
    values = pl.concat([part.values for part in parts], how="diagonal")
    return Windows(
        values.group_by(KEY).agg(pl.all().max()).sort(KEY),
        in_order(pl.concat([part.items for part in parts])),
        pl.concat([part.facts for part in parts]).unique("workload", keep="last", maintain_order=True).sort("workload"),
    )
