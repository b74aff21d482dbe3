"""Which containers of a workload stand at the end of a window, and which of their settings they all have.

A rollout makes every replica anew, and at its end they agree; somebody who changes one replica leaves it unlike its
siblings. Snapshots are taken when a container is made or changed, so a sibling may have been seen days ago: what it
was then holds until it ends or is seen again.
"""

import polars as pl

from features.windows import KEY, WINDOW

LIFE_KINDS = ("config", "lifecycle")
CONTAINER = ["workload", "container_id"]
ENDS = ("die", "destroy")


def spans(events: pl.DataFrame) -> pl.DataFrame:
    """Give how long each snapshot held: until the container's next one, or its end.

    Returns
    -------
    `workload, container_id, config, image_repository, ts, until`: `until` is null while it holds. Events that name no
    container tell of none.
    """
    named = events.filter(pl.col("workload").is_not_null()).sort("ts", "event_id")
    return lasting(named).select(*CONTAINER, "config", "image_repository", "ts", "until")


def lasting(events: pl.DataFrame) -> pl.DataFrame:
    """Keep the snapshots of containers, of events in time order, and say `until` when each held; null while it does."""
    life = events.filter(_tells() & pl.col("container_id").is_not_null())
    return life.with_columns(pl.col("ts").shift(-1).over("container_id").alias("until")).filter(
        pl.col("kind") == "config"
    )


def standing(events: pl.DataFrame) -> pl.DataFrame:
    """Keep, of events in time order, the last snapshot of each container that stands at their end."""
    told = events.filter(_tells() & pl.col("container_id").is_not_null())
    return told.unique("container_id", keep="last", maintain_order=True).filter(pl.col("kind") == "config")


def _tells() -> pl.Expr:
    return (pl.col("kind") == "config") | pl.col("action").is_in(ENDS)


def siblings(events: pl.DataFrame) -> pl.DataFrame:
    """Give the containers to compare in each window that took a snapshot of one.

    They are those that stand at the window's end, and those that were seen in it and are gone.

    Returns
    -------
    `workload, window_start, container_id, config, familiar`: `familiar` if the workload ran the container's image
    before the window.
    """
    held = spans(events)
    windows = held.select("workload", pl.col("ts").dt.truncate(WINDOW).alias("window_start")).unique()
    first_run = pl.col("ts").min().over("workload", "image_repository").alias("first_run")
    end = pl.col("window_start") + WINDOW
    stands = pl.col("until").is_null() | (pl.col("until") >= end)
    lasting = held.with_columns(first_run).join(windows, on="workload").filter(pl.col("ts") < end)
    return (
        lasting.filter(stands | (pl.col("ts") >= pl.col("window_start")))
        .sort("ts")
        .unique([*KEY, "container_id"], keep="last", maintain_order=True)
        .select(*KEY, "container_id", "config", (pl.col("first_run") < pl.col("window_start")).alias("familiar"))
    )


def agreement(events: pl.DataFrame) -> pl.DataFrame:
    """Count who has each setting among the siblings of each window that has two or more.

    Returns
    -------
    `workload, window_start, config, having, siblings, familiar`: containers that have the setting, containers in all,
    and whether the workload ran the images of all of them before.
    """
    containers = siblings(events).with_columns(pl.len().over(KEY).alias("siblings"), pl.col("familiar").all().over(KEY))
    return (
        containers.filter(pl.col("siblings") > 1)
        .explode("config", empty_as_null=True, keep_nulls=False)
        .group_by(*KEY, "config")
        .agg(pl.len().alias("having"), pl.col("siblings", "familiar").first())
    )
