"""Tumbling windows on event time, and the tables that hold what was found in them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from features.events import TIME
from features.packing import Numbers, packed, places, unpacked

WINDOW = timedelta(minutes=10)
TRAILING = timedelta(hours=24)
KEY = ("workload", "window_start")
_WINDOW_MICROS = int(WINDOW.total_seconds()) * 1_000_000

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


def starting(since: datetime) -> pl.Expr:
    """Say whether a window starts at a time or later."""
    return pl.col("window_start") >= pl.lit(since, TIME)


def count_items(events: pl.DataFrame, feature: str, item: pl.Expr) -> pl.DataFrame:
    """Count the items of a feature per window of events that carry `window_start`; a null item is none.

    Returns
    -------
    `ITEMS_SCHEMA`, in any order.
    """
    if events.is_empty():
        return pl.DataFrame(schema=ITEMS_SCHEMA)
    texts = pl.col("workload", "item").cast(pl.Categorical)
    met = events.select(*KEY, item.alias("item")).drop_nulls().with_columns(texts)
    window, first = _window_numbers(met["window_start"])
    workload, kind = (met[name].to_physical().to_numpy() for name in ("workload", "item"))
    numbers, sizes = packed([workload, window, kind])
    distinct, counts = np.unique(numbers, return_counts=True)
    workload, window, kind = unpacked(distinct, sizes)
    return pl.DataFrame(
        {
            "workload": _text(workload),
            "window_start": pl.Series((window + first) * _WINDOW_MICROS).cast(TIME),
            "feature": pl.repeat(feature, len(distinct), dtype=pl.String, eager=True),
            "item": _text(kind),
            "count": counts,
        },
        ITEMS_SCHEMA,
    )


def in_order(items: pl.DataFrame) -> pl.DataFrame:
    """Sort items (`ITEMS_SCHEMA`, no nulls, each once) by window, feature and item."""
    workload, feature, item = (places(items[name]) for name in ("workload", "feature", "item"))
    numbers, _ = packed([workload, _window_numbers(items["window_start"])[0], feature, item])
    return items[pl.Series(numbers).arg_sort()]


def _window_numbers(starts: pl.Series) -> tuple[Numbers, int]:
    """Count windows from the first of them, and give its number since 1970."""
    numbers = starts.to_physical().to_numpy() // _WINDOW_MICROS
    first = int(numbers.min()) if len(numbers) else 0
    return numbers - first, first


def _text(categories: Numbers) -> pl.Series:
    """Give the texts that numbers of categories stand for, as long as somebody holds these."""
    return pl.Series(categories, dtype=pl.UInt32).cat.to(pl.Categorical).cast(pl.String)


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
