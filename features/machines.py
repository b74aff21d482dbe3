"""Which address a machine has: no engine says it, but a registry hears the pulls that an engine tells of."""

from datetime import timedelta

import polars as pl

HEARD = timedelta(seconds=60)
LEAST = 3  # pulls and pushes that must agree
SHARE = 0.6  # of an address's requests that one machine must explain

MACHINE_KINDS = ("pull", "image")
_TOLD = ("pull", "push")
_REGISTRY = ("registry_pull", "push")
_IMAGE = ["image_repository", "image_tag"]
_SCHEMA = {"address": pl.String(), "machine": pl.String()}


def machines(events: pl.DataFrame) -> pl.DataFrame:
    """Find the addresses from which machines speak with registries.

    Parameters
    ----------
    events
        Events of `MACHINE_KINDS` with `ts, action, host, src_ip, image_repository, image_tag`.

    Returns
    -------
    `address, machine`, each address once.
    """
    engine = (
        events.filter(pl.col("host").is_not_null() & pl.col("src_ip").is_null() & pl.col("action").is_in(_TOLD))
        .select("ts", "host", *_IMAGE)
        .drop_nulls()
        .sort("ts")
    )
    registry = (
        events.filter(pl.col("src_ip").is_not_null() & pl.col("action").is_in(_REGISTRY))
        .select("ts", "src_ip", *_IMAGE)
        .drop_nulls(["ts", "src_ip", "image_repository"])
        .sort("ts")
    )
    if engine.is_empty() or registry.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    heard = registry.join_asof(engine, on="ts", by=_IMAGE, strategy="nearest", tolerance=HEARD, check_sortedness=False)
    pairs = (
        heard.group_by("src_ip", "host")
        .agg(pl.len().alias("times"))
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
