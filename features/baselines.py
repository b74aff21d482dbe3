"""What is normal for every workload: small statistics that merge, never a pile of raw rows.

A baseline holds three tables. Counts and magnitudes are kept as sums per hour of the day, apart for working days and
weekends; items as sets with first seen, last seen and the number of windows; nothing grows with the number of events.
Memory is O(workloads x features x 48 + distinct items).
"""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.events import TIME
from features.identity import cohort
from features.protocols import specs
from features.windows import KEY, WINDOW, Windows

HOURS = 24
WEEKEND = 6

WORKLOADS_SCHEMA = {
    "workload": pl.String(),
    "cohort": pl.String(),
    "image_repository": pl.String(),
    "first_seen": TIME,
    "last_seen": TIME,
    "windows": pl.Int64(),
}
VALUES_SCHEMA = {
    "workload": pl.String(),
    "feature": pl.String(),
    "cell": pl.Int32(),
    "active": pl.Int64(),  # windows in which the feature was above zero
    "total": pl.Float64(),
    "squares": pl.Float64(),
    "log_total": pl.Float64(),  # of log1p of the value, over active windows
    "log_squares": pl.Float64(),
}
ITEMS_SCHEMA = {
    "workload": pl.String(),
    "feature": pl.String(),
    "item": pl.String(),
    "windows": pl.Int64(),
    "first_seen": TIME,
    "last_seen": TIME,
}


def cell() -> pl.Expr:
    """Give the hour-of-week cell of a window: hour of the day in UTC, plus 24 at weekends."""
    start = pl.col("window_start").dt
    return (start.hour().cast(pl.Int32) + pl.when(start.weekday() >= WEEKEND).then(HOURS).otherwise(0)).alias("cell")


@dataclass(frozen=True)
class Baseline:
    """Statistics of every workload over a span.

    Parameters
    ----------
    since, until
        The span learnt; `until` is exclusive.
    workloads, values, items
        Tables of `WORKLOADS_SCHEMA`, `VALUES_SCHEMA` and `ITEMS_SCHEMA`.
    """

    since: datetime
    until: datetime
    workloads: pl.DataFrame
    values: pl.DataFrame
    items: pl.DataFrame

    def merge(self, later: "Baseline") -> "Baseline":
        """Join two baselines; associative and commutative over disjoint windows."""
        return Baseline(
            min(self.since, later.since),
            max(self.until, later.until),
            _merge_workloads(pl.concat([self.workloads, later.workloads])),
            _merge_values(pl.concat([self.values, later.values])),
            _merge_items(pl.concat([self.items, later.items])),
        )


def _merge_workloads(tables: pl.DataFrame) -> pl.DataFrame:
    latest = pl.col("image_repository").sort_by("last_seen", "image_repository").drop_nulls().last()
    return (
        tables.group_by("workload")
        .agg(
            pl.col("cohort").first(),
            latest,
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
            pl.col("windows").sum(),
        )
        .sort("workload")
        .select(WORKLOADS_SCHEMA.keys())
    )


def _merge_values(tables: pl.DataFrame) -> pl.DataFrame:
    keys = ["workload", "feature", "cell"]
    tables = tables.sort(*keys, "active", "total", "squares")
    sums = ["active", "total", "squares", "log_total", "log_squares"]
    return tables.group_by(keys, maintain_order=True).agg(pl.col(sums).sum()).select(VALUES_SCHEMA.keys())


def _merge_items(tables: pl.DataFrame) -> pl.DataFrame:
    keys = ["workload", "feature", "item"]
    return (
        tables.group_by(keys)
        .agg(pl.col("windows").sum(), pl.col("first_seen").min(), pl.col("last_seen").max())
        .sort(keys)
        .select(ITEMS_SCHEMA.keys())
    )


def learn(windows: Windows, since: datetime, until: datetime) -> Baseline:
    """Learn a baseline from the windows that start in [since, until)."""
    windows = windows.between(since, until)
    names = windows.values.select("workload").unique()
    cohorts = names.with_columns(
        pl.col("workload").map_elements(cohort, return_dtype=pl.String, skip_nulls=False).alias("cohort")
    )
    workloads = (
        windows.values.group_by("workload")
        .agg(
            pl.col("window_start").min().alias("first_seen"),
            (pl.col("window_start").max() + WINDOW).alias("last_seen"),
            pl.len().cast(pl.Int64).alias("windows"),
        )
        .join(cohorts, on="workload")
        .join(windows.facts, on="workload", how="left")
    )
    return Baseline(
        since,
        until,
        _merge_workloads(workloads.select(WORKLOADS_SCHEMA.keys())),
        _merge_values(_sums(windows.values)),
        _merge_items(
            windows.items.select("workload", "feature", "item", "window_start").with_columns(
                pl.lit(1, pl.Int64).alias("windows"),
                pl.col("window_start").alias("first_seen"),
                pl.col("window_start").alias("last_seen"),
            )
        ),
    )


def _sums(values: pl.DataFrame) -> pl.DataFrame:
    measured = [name for name, spec in specs().items() if spec.kind != "items" and name in values.columns]
    value, positive = pl.col("value"), pl.col("value") > 0
    logs = value.filter(positive).log1p()
    parts = [
        values.select(*KEY, pl.col(name).alias("value"))
        .filter(positive)
        .sort(KEY)
        .group_by("workload", cell(), maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("active"),
            value.sum().alias("total"),
            (value * value).sum().alias("squares"),
            logs.sum().alias("log_total"),
            (logs * logs).sum().alias("log_squares"),
        )
        .with_columns(pl.lit(name).alias("feature"))
        .select(VALUES_SCHEMA.keys())
        for name in measured
    ]
    return pl.concat([pl.DataFrame(schema=VALUES_SCHEMA), *parts])
