"""On which hosts the containers of a workload ran, and when."""

from datetime import datetime

import polars as pl

from features.rollouts import ENDS
from features.windows import KEY, WINDOW, floor_window

PLACEMENT_COLUMNS = ("ts", "action", "host", "container_id", "workload", "valid_from")


def placements(events: pl.DataFrame) -> pl.DataFrame:
    """Tell the life of each container, from its first sign to its last end.

    Parameters
    ----------
    events
        Configuration and lifecycle events (`PLACEMENT_COLUMNS`), in any order.

    Returns
    -------
    `container_id, workload, host, begun, ended`: `ended` is null while it runs. Where it was started counts more than
    who told of it, since a scheduler speaks of other machines. Containers of which no host is known are left out.
    """
    ends, starts = pl.col("action").is_in(ENDS), pl.col("action") == "start"
    lives = (
        events.filter(pl.col("container_id").is_not_null())
        .sort("ts", maintain_order=True)
        .group_by("container_id")
        .agg(
            pl.col("workload").drop_nulls().unique(),
            pl.coalesce(pl.col("host").filter(starts).drop_nulls().first(), pl.col("host").drop_nulls().first()).alias(
                "host"
            ),
            pl.min_horizontal("ts", "valid_from").min().alias("begun"),
            pl.col("ts").filter(ends).max().alias("ended"),
            pl.col("ts").filter(starts).max().alias("started"),
        )
        .filter(pl.col("host").is_not_null())
    )
    over = pl.col("started").is_null() | (pl.col("ended") >= pl.col("started"))
    return (
        lives.with_columns(pl.when(over).then("ended").alias("ended"))
        .explode("workload", empty_as_null=True, keep_nulls=False)
        .select("container_id", "workload", "host", "begun", "ended")
    )


def hosts_of_windows(placed: pl.DataFrame, since: datetime, until: datetime) -> pl.DataFrame:
    """Tell on which hosts each workload ran in each window that starts at `since` or later and before `until`.

    Parameters
    ----------
    placed
        What `placements` gives.

    Returns
    -------
    `workload, window_start, host`, each once, in order.
    """
    lasted = placed.filter((pl.col("begun") < until) & (pl.col("ended").is_null() | (pl.col("ended") >= since)))
    first = pl.max_horizontal("begun", pl.lit(floor_window(since))).dt.truncate(WINDOW)
    last = pl.min_horizontal(pl.col("ended").fill_null(until), pl.lit(until - WINDOW))
    return (
        lasted.select("workload", "host", pl.datetime_ranges(first, last, WINDOW).alias("window_start"))
        .explode("window_start", empty_as_null=True, keep_nulls=False)
        .select(*KEY, "host")
        .unique()
        .sort(*KEY, "host")
    )
