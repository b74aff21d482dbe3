"""The trailing day of a workload, seen from each of its windows: what is too slow to show within one."""

import polars as pl

from features.windows import TRAILING


def joined(before: pl.DataFrame | None, own: pl.DataFrame) -> pl.DataFrame:
    """Put what was met in windows (`window_start`) after what was met `before`, as far as they look back to it."""
    if before is None or own.is_empty():
        return own if before is None else before
    oldest = own.select(pl.col("window_start").min() - TRAILING).item()
    return pl.concat([before.filter(pl.col("window_start") > oldest), own])


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
    runs = (
        met.select(*subject, "window_start", "item")
        .drop_nulls()
        .group_by(*subject, "item")
        .agg(pl.col("window_start").unique().sort())
        .with_row_index("run")
    )
    subjects = runs.select(subject).unique().with_row_index("subject")
    windows = runs.join(subjects, on=subject).select("subject", "run", "window_start").explode("window_start")
    start, run = pl.col("window_start"), pl.col("run")
    absent = (run != run.shift()) | (start - start.shift() >= TRAILING)
    lapses = (run != run.shift(-1)) | (start.shift(-1) - start >= TRAILING)
    up = windows.select("subject", start, absent.fill_null(value=True).cast(pl.Int64).alias("step"), met=True)
    down = windows.filter(lapses.fill_null(value=True)).select(
        "subject", start + TRAILING, pl.lit(-1, pl.Int64).alias("step"), met=False
    )
    # What goes up comes down, so that the sum over one subject after another begins each at nothing.
    steps = pl.concat([down, up]).sort("window_start", maintain_order=True).sort("subject", maintain_order=True)
    last = pl.struct("subject", "window_start").ne_missing(pl.struct("subject", "window_start").shift(-1))
    counts = steps.with_columns(pl.col("step").cum_sum().cast(pl.Float64).alias("distinct")).filter(
        last & pl.col("met")
    )
    return counts.join(subjects, on="subject").select("workload", "window_start", *within, "distinct")


def total(flows: pl.DataFrame, amounts: tuple[str, ...], *, within: tuple[str, ...] = ()) -> pl.DataFrame:
    """Sum columns over the `TRAILING` hours up to the end of each window.

    Parameters
    ----------
    flows
        `workload, window_start`, the columns of `amounts` (null is 0) and those of `within`.

    Returns
    -------
    `workload, window_start`, the columns of `within` and `amounts`, one row per window and value of `within` in it.
    """
    subject = ["workload", *within]
    each = flows.group_by(*subject, "window_start").agg(pl.col(amounts).fill_null(0).sum()).sort("window_start")
    return each.with_columns(pl.col(amounts).rolling_sum_by("window_start", TRAILING).over(subject))
