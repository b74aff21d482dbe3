"""The trailing day of a workload, seen from each of its windows: what is too slow to show within one."""

import polars as pl

from features.windows import TRAILING


def distinct(met: pl.DataFrame, *, within: tuple[str, ...] = ()) -> pl.DataFrame:
    """Count the different items that each window met in the `TRAILING` hours up to its end.

    An item counts from the window that meets it until it has not been met for that long: it is one step up where it was
    absent before and one down where it lapses, and the count is the sum of steps.

    Parameters
    ----------
    met
        `workload, window_start, item` and the columns of `within`.
    within
        Columns that tell apart what is counted: names under each domain, say.

    Returns
    -------
    `workload, window_start`, the columns of `within` and `distinct`, one row per
    window and value of `within` met in it.
    """
    subject = ["workload", *within]
    met = met.select(*subject, "window_start", "item").drop_nulls().unique().sort(*subject, "item", "window_start")
    start, own = pl.col("window_start"), [*subject, "item"]
    absent = ((start - start.shift(1).over(own)) >= TRAILING).fill_null(value=True)
    lapses = ((start.shift(-1).over(own) - start) >= TRAILING).fill_null(value=True)
    up = met.filter(absent).select(*subject, "window_start", pl.lit(1).alias("step"))
    down = met.filter(lapses).select(*subject, start + TRAILING, pl.lit(-1).alias("step"))
    steps = pl.concat([up, down]).group_by(*subject, "window_start").agg(pl.col("step").sum()).sort("window_start")
    steps = steps.with_columns(pl.col("step").cum_sum().over(subject).cast(pl.Float64).alias("distinct")).drop("step")
    windows = met.select(*subject, "window_start").unique().sort("window_start")
    return windows.join_asof(steps, on="window_start", by=subject, check_sortedness=False)


def total(flows: pl.DataFrame, amount: str, *, within: tuple[str, ...] = ()) -> pl.DataFrame:
    """Sum a column over the `TRAILING` hours up to the end of each window.

    Parameters
    ----------
    flows
        `workload, window_start`, the column `amount` (null is 0) and those of `within`.

    Returns
    -------
    `workload, window_start`, the columns of `within` and `amount`, one row per window and value of `within` in it.
    """
    subject = ["workload", *within]
    each = (
        flows.group_by(*subject, "window_start").agg(pl.col(amount).fill_null(0).sum()).sort(*subject, "window_start")
    )
    return each.with_columns(pl.col(amount).rolling_sum_by("window_start", TRAILING).over(subject))
