"""What counts and magnitudes are expected of a workload at each hour.

A value is judged in two steps (a hurdle model): how likely the feature is above zero at all in this hour, and, given
that, how far up the tail of the workload's own distribution the value lies. Both are shrunk towards the workload, and
the workload towards its image repository, its cohort or the fleet, by the number of windows seen, so that a workload
with little history borrows strength.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
import polars as pl

from features.baselines import BINS, HALF_LIFE, HOURS_OF_WEEK, Baseline, cell, hour_of_day
from features.events import TIME
from features.keyed_tables import Column, KeyedTable
from features.sums import summed
from features.windows import WINDOW

RATE_WEIGHT = 6.0  # windows that the next level's rate of activity counts for
CELL_WEIGHT = 12.0  # windows that the workload's own rate and mean count for in one hour of the day
WEEK_WEIGHT = 36.0  # windows that the hour of the day counts for in one hour of the week
LIVED = 9.0  # windows of an hour of the week from which it is looked at: it was lived through twice
REMEMBERED = 10 * HALF_LIFE  # further back a window counts for less than a thousandth
MEAN_WEIGHT = 3.0
QUANTILES = (0.5, 0.95, 0.99)
SPREAD_WEIGHT = 12.0
SPREAD_FLOOR = 0.15  # log1p units: about 15 per cent of the value
ENOUGH = 20  # active windows from which the statistics of an ancestor are used
# What the fleet never showed is judged against a bare prior: never active, one log unit of spread.
BARE = {"mean": 0.0, "spread": 0.5, "between": 1.0, "rate": 1e-4}

KEYS = ["workload", "feature"]
ANCESTORS = ("image_repository", "cohort", "fleet")


@dataclass(frozen=True)
class Magnitudes:
    """Expectations for counts and magnitudes, made from a baseline.

    Parameters
    ----------
    cells
        `workload, feature, cell, cell_mean, cell_rate`: mean of log1p, and probability of activity in [0, 1], by hour
        of the day, working days and weekends apart.
    week
        `workload, feature, hour, week_mean, week_rate`: the same by hour of the week, if that was lived through twice.
    workloads
        `workload, feature, mean, spread, rate, active`, over all hours, shrunk towards the ancestor; and the quantiles
        `q50, q95, q99` of the values above zero.
    ancestors
        Per ancestor level `<level>, feature, mean, spread, between, rate`.
    births
        `workload, born`: hour of a workload's first window.
    exposure
        `born, cell, exposed`: windows of each hour of the day that a workload born then has lived through, decayed.
    """

    cells: pl.DataFrame
    week: pl.DataFrame
    workloads: pl.DataFrame
    ancestors: dict[str, pl.DataFrame]
    births: pl.DataFrame
    exposure: pl.DataFrame

    @cached_property
    def by_key(self) -> Mapping[str, KeyedTable]:
        """Tables by field, and those of ancestors by level, to be looked up by key."""
        return {
            "cells": KeyedTable(self.cells, *KEYS, "cell"),
            "week": KeyedTable(self.week, *KEYS, "hour"),
            "workloads": KeyedTable(self.workloads, *KEYS),
            "births": KeyedTable(self.births, "workload"),
            "exposure": KeyedTable(self.exposure, "born", "cell"),
            **{level: KeyedTable(table, level, "feature") for level, table in self.ancestors.items()},
        }

    def born(self, workload: Column) -> Column:
        """Give the hour of each workload's first window, as `exposure` is keyed by it."""
        births = self.by_key["births"]
        found = births.take("born", births.find(Column(workload.distinct, np.arange(len(workload.distinct)))))
        return Column(found.tolist(), workload.places)


def _births(baseline: Baseline) -> pl.DataFrame:
    earliest = pl.lit(baseline.until - REMEMBERED, TIME).dt.truncate("1h")
    born = pl.max_horizontal(pl.col("first_seen").dt.truncate("1h"), earliest, pl.lit(baseline.since, TIME))
    return baseline.workloads.select("workload", "cohort", "image_repository", born.dt.truncate("1h").alias("born"))


def _exposure(baseline: Baseline, births: pl.Series) -> pl.DataFrame:
    """Sum the weights of the windows between each birth and the end of the baseline, by hour of the week.

    O(births x 168), births being at most the hours remembered.

    Returns
    -------
    `born, hour, exposed`, hours without any left out.
    """
    first = min(births.to_list(), default=baseline.until)
    starts = pl.datetime_range(first, baseline.until, WINDOW, closed="left", time_zone="UTC", eager=True)
    age = (pl.lit(baseline.until, TIME) - pl.col("window_start")).dt.total_microseconds()
    weight = pl.lit(2.0).pow(-age / (HALF_LIFE / timedelta.resolution))
    left = (
        pl.DataFrame({"window_start": starts.cast(TIME)})
        .sort("window_start", descending=True)
        .group_by(pl.col("window_start").dt.truncate("1h").alias("begun"), cell().alias("hour"), maintain_order=True)
        .agg(weight.alias("exposed"))
        .with_columns(pl.col("exposed").list.sum().cum_sum().over("hour"))
    )
    hours = pl.DataFrame({"hour": range(HOURS_OF_WEEK)}, {"hour": pl.Int32()})
    each = births.unique().sort().alias("born").to_frame().join(hours, how="cross")
    each = each.with_columns(each.select(pl.col("born").alias("window_start")).select(cell()))
    ahead = (pl.col("hour") - pl.col("cell")) % HOURS_OF_WEEK
    each = each.with_columns((pl.col("born") + pl.duration(hours=ahead)).alias("begun"))
    return each.join(left, on=["begun", "hour"], how="inner").select("born", "hour", "exposed").sort("born", "hour")


def _spread(squares: pl.Expr, count: pl.Expr) -> pl.Expr:
    return (squares.clip(lower_bound=0) / count.clip(lower_bound=1)).sqrt().clip(lower_bound=SPREAD_FLOOR)


def _ancestor(level: str, cells: pl.DataFrame, lived: pl.DataFrame) -> pl.DataFrame:
    """Pool the workloads of one ancestor: mean, spread within and between workloads, and rate of activity."""
    exposed = summed(lived.sort("workload"), [level], ["exposed"])
    each = summed(cells, [level, *KEYS], ["active", "log_total", "residual"])
    each = each.with_columns((pl.col("log_total") / pl.col("active")).alias("own"))
    pooled = (
        each.sort(level, *KEYS)
        .group_by(level, "feature", maintain_order=True)
        .agg(
            pl.col("active", "residual"),
            pl.col("own").mean().alias("mean"),
            pl.col("own").std().fill_null(1.0).clip(lower_bound=0.5).alias("between"),
        )
        .with_columns(pl.col("active", "residual").list.sum())
    )
    return (
        pooled.filter((pl.col("active") >= ENOUGH) | (level == "fleet"))
        .join(exposed, on=level)
        .select(
            level,
            "feature",
            "mean",
            _spread(pl.col("residual"), pl.col("active")).alias("spread"),
            "between",
            (pl.col("active") / pl.col("exposed").clip(lower_bound=1)).clip(upper_bound=1.0).alias("rate"),
        )
    )


def _inherit(frame: pl.DataFrame, ancestors: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Add `prior_mean, prior_spread, prior_between, prior_rate` from the nearest ancestor that has statistics."""
    frame = frame.with_columns(pl.lit("fleet").alias("fleet"))
    for level in ANCESTORS:
        renamed = ancestors[level].rename({name: f"{level}_{name}" for name in BARE})
        frame = frame.join(renamed, on=[level, "feature"], how="left", maintain_order="left")
    return frame.with_columns(
        pl.coalesce(*(f"{level}_{name}" for level in ANCESTORS), pl.lit(bare)).alias(f"prior_{name}")
        for name, bare in BARE.items()
    ).drop("fleet", *(f"{level}_{name}" for level in ANCESTORS for name in BARE))


def expect(baseline: Baseline) -> Magnitudes:
    """Turn a baseline's sums into expectations."""
    births = _births(baseline)
    weekly = _exposure(baseline, births["born"])
    hourly = weekly.with_columns(hour_of_day(pl.col("hour")).alias("cell"))
    daily = summed(hourly, ["born", "cell"], ["exposed"]).sort("born", "cell")
    whole = summed(daily, ["born"], ["exposed"])
    lived = births.join(whole, on="born", how="left").with_columns(
        pl.col("exposed").fill_null(0.0), pl.lit("fleet").alias("fleet")
    )
    hours = (
        baseline.values.filter(pl.col("active") > 0)
        .join(lived.drop("exposed"), on="workload")
        .rename({"cell": "hour"})
        .with_columns(hour_of_day(pl.col("hour")).alias("cell"))
    )
    residual = pl.col("log_squares") - pl.col("log_total") ** 2 / pl.col("active")
    facts = ["born", *ANCESTORS]
    cells = summed(hours.sort(*KEYS, "hour"), [*KEYS, "cell", *facts], ["active", "log_total", "log_squares"])
    cells = cells.with_columns(residual.alias("residual")).sort(*KEYS, "cell")
    ancestors = {level: _ancestor(level, cells, lived) for level in ANCESTORS}
    own = summed(cells, [*KEYS, *facts], ["active", "log_total", "residual"])
    own = _inherit(own.join(whole, on="born").drop("fleet"), ancestors)
    count, weight = pl.col("active"), MEAN_WEIGHT / (pl.col("active") + MEAN_WEIGHT)
    within = (pl.col("residual").clip(lower_bound=0) + SPREAD_WEIGHT * pl.col("prior_spread") ** 2) / (
        count + SPREAD_WEIGHT
    )
    workloads = own.select(
        *KEYS,
        ((pl.col("log_total") + MEAN_WEIGHT * pl.col("prior_mean")) / (count + MEAN_WEIGHT)).alias("mean"),
        (within + weight**2 * pl.col("prior_between") ** 2).sqrt().clip(lower_bound=SPREAD_FLOOR).alias("spread"),
        ((count + RATE_WEIGHT * pl.col("prior_rate")) / (pl.col("exposed") + RATE_WEIGHT)).alias("rate"),
        "active",
    )
    by_day = _shrunk(
        cells.join(workloads.select(*KEYS, "mean", "rate"), on=KEYS).join(daily, on=["born", "cell"], how="left"),
        ("cell_mean", MEAN_WEIGHT), ("cell_rate", CELL_WEIGHT),
    )  # fmt: skip
    told = hours.join(weekly.filter(pl.col("exposed") >= LIVED), on=["born", "hour"]).join(
        by_day.select(*KEYS, "cell", pl.col("cell_mean").alias("mean"), pl.col("cell_rate").alias("rate")),
        on=[*KEYS, "cell"],
    )
    by_week = _shrunk(told, ("week_mean", CELL_WEIGHT), ("week_rate", WEEK_WEIGHT))
    return Magnitudes(
        by_day.select(*KEYS, "cell", "cell_mean", "cell_rate"),
        by_week.select(*KEYS, "hour", "week_mean", "week_rate").sort(*KEYS, "hour"),
        workloads.join(_quantiles(baseline.quantiles), on=KEYS, how="left", maintain_order="left"),
        ancestors,
        births.select("workload", "born"),
        daily,
    )


def _shrunk(cells: pl.DataFrame, mean: tuple[str, float], rate: tuple[str, float]) -> pl.DataFrame:
    """Shrink means and rates of cells towards `mean` and `rate`, which count for so many windows."""
    exposed = pl.col("exposed").fill_null(0.0)
    return cells.with_columns(
        ((pl.col("log_total") + mean[1] * pl.col("mean")) / (pl.col("active") + mean[1])).alias(mean[0]),
        ((pl.col("active") + rate[1] * pl.col("rate")) / (exposed + rate[1])).alias(rate[0]),
    )


def _quantiles(sketches: pl.DataFrame) -> pl.DataFrame:
    """Read quantiles off the sketches: the middle of the bin that each falls into."""
    share = pl.col("weight").cum_sum() / pl.col("weight").sum()
    middle = pl.lit(2.0).pow((pl.col("bin") + 0.5) / BINS)
    return (
        sketches.sort(*KEYS, "bin")
        .group_by(KEYS, maintain_order=True)
        .agg(middle.filter(share >= at * (1 - 1e-9)).first().alias(f"q{at * 100:.0f}") for at in QUANTILES)
    )
