"""How surprising a count or a magnitude is for this workload at this hour, in bits.

A value is judged in two steps (a hurdle model): how likely the feature is above zero at all in this hour, and, given
that, how far up the tail of the workload's own distribution the value lies. Both are shrunk towards the workload, and
the workload towards its image repository, its cohort or the fleet, by the number of windows seen, so that a workload
with little history borrows strength. On the scale of log1p the tail is logistic up to `KNEE` standard deviations and a
power law beyond: a value a thousand times the usual one is not believed to be impossible, and evidence never ends.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.baselines import Baseline, cell
from features.protocols import specs
from features.windows import KEY, WINDOW

RATE_WEIGHT = 6.0  # windows that the next level's rate of activity counts for
CELL_WEIGHT = 12.0  # windows that the workload's own rate and mean count for in one hour cell
MEAN_WEIGHT = 3.0
SPREAD_WEIGHT = 12.0
SPREAD_FLOOR = 0.15  # log1p units: about 15 per cent of the value
ENOUGH = 20  # active windows from which the statistics of an ancestor are used
ACTIVITY = 0.5  # share of the hurdle's bits that counts: activity at a rare hour is weak evidence by itself
LOGISTIC = float(np.pi / np.sqrt(3))  # rate of the logistic tail in standard deviations
KNEE = 4.0  # standard deviations beyond which the tail is a power law
FAR = 4.0  # its exponent, that of Student's t with four degrees of freedom

KEYS = ["workload", "feature"]
ANCESTORS = ("image_repository", "cohort", "fleet")


@dataclass(frozen=True)
class Magnitudes:
    """Expectations for counts and magnitudes, made from a baseline.

    Parameters
    ----------
    cells
        `workload, feature, cell, cell_mean, cell_rate`: mean of log1p, and probability of activity in [0, 1].
    workloads
        `workload, feature, mean, spread, rate, active`, over all hours, shrunk towards the ancestor.
    ancestors
        Per ancestor level `<level>, feature, mean, spread, between, rate`.
    exposure
        `workload, cell, exposed`: windows of each hour cell that a workload has lived through.
    """

    cells: pl.DataFrame
    workloads: pl.DataFrame
    ancestors: dict[str, pl.DataFrame]
    exposure: pl.DataFrame


def _exposure(baseline: Baseline) -> pl.DataFrame:
    """Count the windows of every hour cell between a workload's first window and the end of the baseline."""
    hours = pl.datetime_range(baseline.since, baseline.until, "1h", closed="left", time_zone="UTC", eager=True)
    per_hour = int(3600 / WINDOW.total_seconds())
    return (
        baseline.workloads.select("workload", "cohort", "image_repository", "first_seen")
        .join(pl.DataFrame({"window_start": hours}).with_columns(cell()), how="cross")
        .filter(pl.col("window_start") >= pl.col("first_seen").dt.truncate("1h"))
        .group_by("workload", "cohort", "image_repository", "cell")
        .agg((pl.len() * per_hour).alias("exposed"))
    )


def _spread(squares: pl.Expr, count: pl.Expr) -> pl.Expr:
    return (squares.clip(lower_bound=0) / count.clip(lower_bound=1)).sqrt().clip(lower_bound=SPREAD_FLOOR)


def _ancestor(level: str, cells: pl.DataFrame, exposure: pl.DataFrame) -> pl.DataFrame:
    """Pool the workloads of one ancestor: mean, spread within and between workloads, and rate of activity."""
    exposed = exposure.group_by(level).agg(pl.col("exposed").sum())
    each = cells.group_by(level, *KEYS).agg(pl.col("active", "log_total", "residual").sum())
    each = each.with_columns((pl.col("log_total") / pl.col("active")).alias("own"))
    pooled = (
        each.sort(level, *KEYS)
        .group_by(level, "feature", maintain_order=True)
        .agg(
            pl.col("active").sum(),
            pl.col("own").mean().alias("mean"),
            pl.col("own").std().fill_null(1.0).clip(lower_bound=0.5).alias("between"),
            pl.col("residual").sum(),
        )
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
    names = ("mean", "spread", "between", "rate")
    frame = frame.with_columns(pl.lit("fleet").alias("fleet"))
    for level in ANCESTORS:
        renamed = ancestors[level].rename({name: f"{level}_{name}" for name in names})
        frame = frame.join(renamed, on=[level, "feature"], how="left", maintain_order="left")
    # What the fleet never showed is judged against a bare prior: never active, one log unit of spread.
    bare = {"mean": 0.0, "spread": 0.5, "between": 1.0, "rate": 1e-4}
    return frame.with_columns(
        pl.coalesce(*(f"{level}_{name}" for level in ANCESTORS), pl.lit(bare[name])).alias(f"prior_{name}")
        for name in names
    ).drop("fleet", *(f"{level}_{name}" for level in ANCESTORS for name in names))


def expect(baseline: Baseline) -> Magnitudes:
    """Turn a baseline's sums into expectations."""
    exposure = _exposure(baseline).with_columns(pl.lit("fleet").alias("fleet"))
    facts = baseline.workloads.select("workload", "cohort", "image_repository", pl.lit("fleet").alias("fleet"))
    cells = baseline.values.filter(pl.col("active") > 0).join(facts, on="workload")
    cells = cells.with_columns(
        (pl.col("log_squares") - pl.col("log_total") ** 2 / pl.col("active")).alias("residual")
    ).sort(*KEYS, "cell")
    ancestors = {level: _ancestor(level, cells, exposure) for level in ANCESTORS}
    exposed = exposure.group_by("workload").agg(pl.col("exposed").sum())
    own = cells.group_by(*KEYS, "cohort", "image_repository", maintain_order=True).agg(
        pl.col("active", "log_total", "residual").sum()
    )
    own = _inherit(own.join(exposed, on="workload"), ancestors)
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
    shrunk = cells.join(workloads.drop("active", "spread"), on=KEYS).join(
        exposure.select("workload", "cell", "exposed"), on=["workload", "cell"], how="left"
    )
    return Magnitudes(
        shrunk.select(
            *KEYS,
            "cell",
            ((pl.col("log_total") + MEAN_WEIGHT * pl.col("mean")) / (pl.col("active") + MEAN_WEIGHT)).alias(
                "cell_mean"
            ),
            ((pl.col("active") + CELL_WEIGHT * pl.col("rate")) / (pl.col("exposed").fill_null(0) + CELL_WEIGHT)).alias(
                "cell_rate"
            ),
        ),
        workloads,
        ancestors,
        exposure.select("workload", "cell", "exposed"),
    )


def surprise(values: pl.DataFrame, facts: pl.DataFrame, expected: Magnitudes) -> pl.DataFrame:
    """Give the evidence of every positive value.

    Parameters
    ----------
    values
        `Windows.values`.
    facts
        `workload, cohort, image_repository` of every workload in `values`.
    expected
        What is normal.

    Returns
    -------
    `row` (of `values`), `feature`, `value`, `mean` and `spread` (log1p units), `bits` (at least 0).
    """
    measured = [name for name, spec in specs().items() if spec.kind != "items" and name in values.columns]
    long = (
        values.with_row_index("row")
        .select("row", *KEY, cell(), *measured)
        .unpivot(measured, index=["row", *KEY, "cell"], variable_name="feature")
        .filter(pl.col("value") > 0)
        .join(expected.workloads, on=KEYS, how="left", maintain_order="left")
        .join(expected.cells, on=[*KEYS, "cell"], how="left", maintain_order="left")
        .join(facts, on="workload", how="left", maintain_order="left")
        .join(expected.exposure, on=["workload", "cell"], how="left", maintain_order="left")
    )
    long = _inherit(long, expected.ancestors)
    empty_cell = CELL_WEIGHT * pl.coalesce("rate", "prior_rate") / (pl.col("exposed").fill_null(0) + CELL_WEIGHT)
    unknown_spread = (pl.col("prior_spread") ** 2 + pl.col("prior_between") ** 2).sqrt()
    long = long.with_columns(
        pl.coalesce("cell_mean", "mean", "prior_mean").alias("mean"),
        pl.coalesce("spread", unknown_spread).alias("spread"),
        pl.coalesce("cell_rate", empty_cell).clip(1e-9, 1.0).alias("rate"),
    )
    deviation = (pl.col("value").log1p() - pl.col("mean")) / pl.col("spread")
    near = (LOGISTIC * deviation.clip(upper_bound=KNEE)).exp().log1p() / np.log(2)
    tail = near + FAR * (deviation.clip(lower_bound=KNEE) / KNEE).log(2)
    return long.select(
        "row", "feature", "value", "mean", "spread", (tail - ACTIVITY * pl.col("rate").log(2)).alias("bits")
    )
