"""What is normal for every workload: small statistics that merge, never a pile of raw rows.

All sums are decayed: a window counts half as much for every `HALF_LIFE` that it lies back. Weights are powers of the
age alone, so parts may be learnt apart and merged in any order and grouping, and one new day is merged into months of
memory at the cost of the day and of what is remembered. Memory is O(workloads x features x (168 + bins) + items),
items being at most `MOST_ITEMS` of each feature of a workload once `bounded`; nothing grows with the number of events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from features.events import TIME
from features.identity import cohort
from features.protocols import specs
from features.sums import summed
from features.windows import KEY, WINDOW, Windows

HALF_LIFE = timedelta(days=14)
HOURS = 24
WEEKEND = 6
HOURS_OF_WEEK = 7 * HOURS
MOST_ITEMS = 4_000  # of one feature of one workload
FORGOTTEN = 2.0**-6  # weight below which a workload, or an item, is forgotten: one window, six half-lives ago
BINS = 4  # of a quantile sketch for each doubling of the value: quantiles are right to 9 per cent

WORKLOADS_SCHEMA = {
    "workload": pl.String(),
    "cohort": pl.String(),
    "image_repository": pl.String(),
    "first_seen": TIME,
    "last_seen": TIME,
    "windows": pl.Int64(),  # all that were ever learnt
    "weight": pl.Float64(),  # what is left of them
}
VALUES_SCHEMA = {
    "workload": pl.String(),
    "feature": pl.String(),
    "cell": pl.Int32(),  # hour of the week
    "active": pl.Float64(),  # decayed number of windows in which the feature was above zero
    "log_total": pl.Float64(),  # of log1p of the value, over active windows
    "log_squares": pl.Float64(),
}
QUANTILES_SCHEMA = {
    "workload": pl.String(),
    "feature": pl.String(),
    "bin": pl.Int32(),  # values from 2^(bin / BINS) up to the next one's
    "weight": pl.Float64(),
}
ITEMS_SCHEMA = {
    "workload": pl.String(),
    "feature": pl.String(),
    "item": pl.String(),
    "windows": pl.Int64(),
    "weight": pl.Float64(),
    "first_seen": TIME,
    "last_seen": TIME,
}
FORGOTTEN_SCHEMA = {
    "workload": pl.String(),
    "feature": pl.String(),
    "since": TIME,  # of items first met later than this none was evicted
}
TABLES = {
    "workloads": WORKLOADS_SCHEMA,
    "values": VALUES_SCHEMA,
    "quantiles": QUANTILES_SCHEMA,
    "items": ITEMS_SCHEMA,
    "forgotten": FORGOTTEN_SCHEMA,
}


def cell() -> pl.Expr:
    """Give the hour of the week, 0 to 167, that `window_start` lies in: Monday's first is 0, in UTC."""
    start = pl.col("window_start").dt
    return ((start.weekday().cast(pl.Int32) - 1) * HOURS + start.hour().cast(pl.Int32)).alias("cell")


def hour_of_day(cells: pl.Expr) -> pl.Expr:
    """Give the hour of the day of hours of the week, plus 24 at weekends."""
    return cells % HOURS + pl.when(cells >= (WEEKEND - 1) * HOURS).then(HOURS).otherwise(0)


def decay(age: timedelta) -> float:
    """Give the weight of what lies back so long."""
    return float(2.0 ** (-age / HALF_LIFE))


@dataclass(frozen=True)
class Baseline:
    """Statistics of every workload over a span, as they weigh at its end.

    Parameters
    ----------
    since, until
        The span learnt; `until` is exclusive.
    workloads, values, quantiles, items, forgotten
        Tables of the schemas in `TABLES`.
    """

    since: datetime
    until: datetime
    workloads: pl.DataFrame
    values: pl.DataFrame
    quantiles: pl.DataFrame
    items: pl.DataFrame
    forgotten: pl.DataFrame

    @classmethod
    def empty(cls, since: datetime) -> "Baseline":
        """Give the baseline of no time at all."""
        return cls(since, since, **{name: pl.DataFrame(schema=schema) for name, schema in TABLES.items()})

    def merge(self, other: "Baseline") -> "Baseline":
        """Join two baselines; associative and commutative over disjoint windows."""
        return merge_all([self, other])

    def _aged(self, until: datetime) -> "Baseline":
        if until == self.until:
            return self
        weight = decay(until - self.until)
        return replace(
            self,
            until=until,
            workloads=self.workloads.with_columns(pl.col("weight") * weight),
            values=self.values.with_columns(pl.col("active", "log_total", "log_squares") * weight),
            quantiles=self.quantiles.with_columns(pl.col("weight") * weight),
            items=self.items.with_columns(pl.col("weight") * weight),
        )

    def only(self, workloads: pl.Series, *, others: bool = False) -> "Baseline":
        """Keep what is known of some workloads, or of all others."""
        own = pl.col("workload").is_in(workloads.implode())
        kept = {name: getattr(self, name).filter(~own if others else own) for name in TABLES}
        return replace(self, **kept)

    def bounded(self, most: int = MOST_ITEMS) -> "Baseline":
        """Forget what tells the least: workloads and items long gone, and the lightest items of what has too many.

        From when on nothing was evicted is kept in `forgotten`: the rate of new items is counted from there.
        """
        gone = self.workloads.filter(pl.col("weight") < FORGOTTEN)["workload"]
        left = self.only(gone, others=True) if len(gone) else self
        faded = pl.col("weight") < FORGOTTEN
        place = pl.struct("weight", "last_seen", "item").rank("ordinal", descending=True).over("workload", "feature")
        crowded = (pl.len().over("workload", "feature") > most) & (place > most)
        kept = left.items.filter(~faded).with_columns(crowded.alias("crowded"))
        evicted = kept.filter("crowded").group_by("workload", "feature").agg(pl.col("first_seen").max().alias("since"))
        return replace(
            left,
            items=kept.filter(~pl.col("crowded")).drop("crowded"),
            forgotten=_latest(pl.concat([left.forgotten, evicted.select(FORGOTTEN_SCHEMA.keys())])),
        )


def merge_all(parts: Sequence[Baseline]) -> Baseline:
    """Join one or more baselines at once, see `Baseline.merge`."""
    until = max(part.until for part in parts)
    aged = [part._aged(until) for part in parts]  # noqa: SLF001 -- of this module
    together = {name: pl.concat([getattr(part, name) for part in aged]) for name in TABLES}
    return Baseline(
        min(part.since for part in parts),
        until,
        _merge_workloads(together["workloads"]),
        _summed(together["values"], VALUES_SCHEMA, ["workload", "feature", "cell"]),
        _summed(together["quantiles"], QUANTILES_SCHEMA, ["workload", "feature", "bin"]),
        _merge_items(together["items"]),
        _latest(together["forgotten"]),
    )


def _merge_workloads(tables: pl.DataFrame) -> pl.DataFrame:
    latest = pl.col("image_repository").sort_by("last_seen", "image_repository").drop_nulls().last()
    return (
        tables.sort("workload", "weight")
        .group_by("workload", maintain_order=True)
        .agg(
            pl.col("cohort").first(),
            latest,
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
            pl.col("windows", "weight"),
        )
        .with_columns(pl.col("windows", "weight").list.sum())
        .select(WORKLOADS_SCHEMA.keys())
    )


def _summed(tables: pl.DataFrame, schema: dict[str, pl.DataType], keys: list[str]) -> pl.DataFrame:
    """Add rows of the same keys up, in an order that does not depend on who came first."""
    sums = [name for name in schema if name not in keys]
    return summed(tables.sort(*keys, *sums), keys, sums).select(schema.keys())


def _merge_items(tables: pl.DataFrame) -> pl.DataFrame:
    keys = ["workload", "feature", "item"]
    found = (
        tables.sort(*keys, "weight")
        .group_by(keys, maintain_order=True)
        .agg(pl.col("windows", "weight"), pl.col("first_seen").min(), pl.col("last_seen").max())
    )
    return found.with_columns(pl.col("windows", "weight").list.sum()).select(ITEMS_SCHEMA.keys())


def _latest(tables: pl.DataFrame) -> pl.DataFrame:
    return tables.group_by("workload", "feature").agg(pl.col("since").max()).sort("workload", "feature")


def learn(windows: Windows, since: datetime, until: datetime) -> Baseline:
    """Learn a baseline from the windows that start in [since, until)."""
    windows = windows.between(since, until)
    names = windows.values.select("workload").unique()
    cohorts = names.with_columns(
        pl.col("workload").map_elements(cohort, return_dtype=pl.String, skip_nulls=False).alias("cohort")
    )
    weight = _weight(until)
    workloads = (
        windows.values.sort(KEY)
        .group_by("workload", maintain_order=True)
        .agg(
            pl.col("window_start").min().alias("first_seen"),
            (pl.col("window_start").max() + WINDOW).alias("last_seen"),
            pl.len().cast(pl.Int64).alias("windows"),
            weight.alias("weight"),
        )
        .with_columns(pl.col("weight").list.sum())
        .join(cohorts, on="workload")
        .join(windows.facts, on="workload", how="left")
    )
    items = windows.items.select(
        "workload",
        "feature",
        "item",
        pl.lit(1, pl.Int64).alias("windows"),
        weight.alias("weight"),
        pl.col("window_start").alias("first_seen"),
        pl.col("window_start").alias("last_seen"),
    )
    values, quantiles = _sums(windows.values, weight)
    return Baseline(
        since,
        until,
        _merge_workloads(workloads.select(WORKLOADS_SCHEMA.keys())),
        values,
        quantiles,
        _merge_items(items),
        pl.DataFrame(schema=FORGOTTEN_SCHEMA),
    )


def _weight(until: datetime) -> pl.Expr:
    age = (pl.lit(until, TIME) - pl.col("window_start")).dt.total_microseconds() / (HALF_LIFE / timedelta.resolution)
    return pl.lit(2.0).pow(-age)


def _sums(values: pl.DataFrame, weight: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    measured = [name for name, spec in specs().items() if spec.kind != "items" and name in values.columns]
    keyed = values.sort(KEY).select("workload", cell(), weight.alias("weight"), *measured)
    sums, sketches = [pl.DataFrame(schema=VALUES_SCHEMA)], [pl.DataFrame(schema=QUANTILES_SCHEMA)]
    for name in measured:
        value = pl.col(name)
        active = keyed.filter(value > 0).select(
            "workload",
            pl.lit(name).alias("feature"),
            "cell",
            (value.log(2) * BINS).floor().cast(pl.Int32).alias("bin"),
            "weight",
            pl.col("weight").alias("active"),
            (value.log1p() * pl.col("weight")).alias("log_total"),
            (value.log1p() ** 2 * pl.col("weight")).alias("log_squares"),
        )
        for found, schema, key in ((sums, VALUES_SCHEMA, "cell"), (sketches, QUANTILES_SCHEMA, "bin")):
            keys = ["workload", "feature", key]
            added = summed(active, keys, [column for column in schema if column not in keys])
            found.append(added.select(schema.keys()))
    return pl.concat(sums).sort("workload", "feature", "cell"), pl.concat(sketches).sort("workload", "feature", "bin")
