"""Which address a machine has: no engine says it, but a registry hears the pulls that an engine tells of."""

from datetime import timedelta

import polars as pl

HEARD = timedelta(seconds=60)
LEAST = 3  # pulls and pushes that must agree
SHARE = 0.6  # of an address's requests that one machine must explain

MACHINE_KINDS = ("pull", "image")
_TOLD = ("pull", "push")
_REGISTRY = ("registry_pull", "push")
IMAGE = ["image_repository", "image_tag"]


def heard(events: pl.DataFrame) -> pl.DataFrame:
    """Count which machine's pulls and pushes explain what registries heard of each image.

    What is told of an image follows from the events of that image alone.

    Parameters
    ----------
    events
        Events of `MACHINE_KINDS` with `ts, action, host, src_ip, image_repository, image_tag`.

    Returns
    -------
    `image_repository, image_tag, src_ip, host, times`; `host` is null for requests that no machine told of.
    """
    engine = (
        events.filter(pl.col("host").is_not_null() & pl.col("src_ip").is_null() & pl.col("action").is_in(_TOLD))
        .select("ts", "host", *IMAGE)
        .drop_nulls()
        .sort("ts", "host")
    )
    registry = (
        events.filter(pl.col("src_ip").is_not_null() & pl.col("action").is_in(_REGISTRY))
        .select("ts", "src_ip", *IMAGE)
        .drop_nulls(["ts", "src_ip", "image_repository"])
        .sort("ts")
    )
    near = registry.join_asof(engine, on="ts", by=IMAGE, strategy="nearest", tolerance=HEARD, check_sortedness=False)
    return near.group_by(*IMAGE, "src_ip", "host").agg(pl.len().alias("times"))


def machines(counted: pl.DataFrame) -> pl.DataFrame:
    """Find the addresses from which machines speak with registries.

    Parameters
    ----------
    counted
        What `heard` gives, of all images.

    Returns
    -------
    `address, machine`, each address once.
    """
    pairs = (
        counted.group_by("src_ip", "host")
        .agg(pl.col("times").sum())
        .with_columns(pl.col("times").sum().over("src_ip").alias("all"))
    )
    return (
        pairs.filter(
            pl.col("host").is_not_null() & (pl.col("times") >= LEAST) & (pl.col("times") >= SHARE * pl.col("all"))
        )
        .sort("src_ip", "host")
        .unique("src_ip", keep="first", maintain_order=True)
        .select(pl.col("src_ip").alias("address"), pl.col("host").alias("machine"))
    )
