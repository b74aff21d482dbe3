"""What each container held of addresses and names, and when, by its own events alone."""

from datetime import timedelta
from typing import NamedTuple

import polars as pl

from features.identity import UNKNOWN_HOST
from features.machines import MACHINE_KINDS

HEALTHCHECK = "Healthcheck="  # how the token of a configuration begins that names the health check
CLOCK_SKEW = timedelta(seconds=2)
AFTER_DEATH = timedelta(seconds=60)


class OwnLeases(NamedTuple):
    """Tables of `features.leases.Leases` by each container's own events: with its `container_id`, in no order."""

    containers: pl.DataFrame
    addresses: pl.DataFrame
    runs: pl.DataFrame


def by_container(events: pl.DataFrame) -> OwnLeases:
    """Tell what each container held, of events in any order (`features.leases.LEASE_COLUMNS`).

    What is told of a container follows from its own events alone.
    """
    events = events.sort("ts", "event_id")
    events = events.filter(~pl.col("kind").is_in(MACHINE_KINDS)).with_columns(pl.col("host").fill_null(UNKNOWN_HOST))
    own = events.filter(pl.col("container_id").is_not_null())
    named = own.filter(pl.col("workload").is_not_null()).with_columns(
        (pl.col("kind") != "config").alias("second_hand"),
        pl.col("config")
        .list.eval(pl.element().filter(pl.element().str.starts_with(HEALTHCHECK)))
        .list.first()
        .str.strip_prefix(HEALTHCHECK)
        .alias("healthcheck"),
    )
    containers = (
        named.sort("second_hand", "ts", "event_id")
        .group_by("container_id", maintain_order=True)
        .agg(
            pl.col("workload").first(),
            pl.col("host").first(),
            pl.col("image_repository").drop_nulls().first(),
            pl.col("healthcheck").drop_nulls().first(),
        )
    )
    return OwnLeases(containers, _addresses(own, containers), _runs(own, containers))


def _addresses(own: pl.DataFrame, containers: pl.DataFrame) -> pl.DataFrame:
    """Give each address to its container from a start to the next end; a start may bring another address.

    A start that no snapshot tells of is taken to have kept the addresses of the one before.
    """
    begun = pl.min_horizontal("ts", pl.coalesce("valid_from", "ts"))
    snapshots = own.filter(pl.col("addresses").list.len() > 0).select(
        "container_id", begun.alias("valid_from"), "host", "addresses", "ts"
    )
    stated = snapshots.sort("valid_from", "ts").unique(
        ["container_id", "valid_from", "addresses"], keep="first", maintain_order=True
    )
    kept = (
        own.filter(pl.col("action") == "start")
        .select("container_id", pl.col("ts").alias("begun"))
        .join_asof(
            stated.drop("ts").with_columns(pl.col("valid_from").alias("begun")),
            on="begun",
            by="container_id",
            check_sortedness=False,
        )
        .filter(pl.col("begun") - pl.col("valid_from") > CLOCK_SKEW)
        .select("container_id", pl.col("begun").alias("valid_from"), "host", "addresses")
        .explode("addresses", empty_as_null=True, keep_nulls=False)
    )
    # An address that an earlier snapshot of the same run did not have was joined since.
    run = ["container_id", "valid_from"]
    joined = pl.when(pl.col("ts") > pl.col("ts").min().over(run)).then("ts").otherwise("valid_from")
    held = (
        stated.explode("addresses", empty_as_null=True, keep_nulls=False)
        .with_columns(joined.alias("since"))
        .group_by(*run, "host", "addresses", maintain_order=True)
        .agg(pl.col("since").min())
        .select("container_id", pl.col("since").alias("valid_from"), "host", "addresses")
    )
    ends = own.filter(pl.col("action").is_in(["die", "destroy"])).select(
        "container_id", pl.col("ts").alias("valid_from"), pl.col("ts").alias("valid_to")
    )
    return (
        pl.concat([held, kept])
        .sort("valid_from")
        .join_asof(ends, on="valid_from", by="container_id", strategy="forward", check_sortedness=False)
        .join(containers.select("container_id", pl.col("workload").alias("holder")), on="container_id")
        .select(
            "container_id",
            pl.col("addresses").alias("address"),
            "host",
            "holder",
            pl.col("valid_from") - CLOCK_SKEW,
            pl.col("valid_to") + AFTER_DEATH,
        )
    )


def _runs(events: pl.DataFrame, containers: pl.DataFrame) -> pl.DataFrame:
    return (
        events.filter((pl.col("action") == "create") & pl.col("image_repository").is_not_null())
        .join(containers.select("container_id", pl.col("workload").alias("runner")), on="container_id")
        .select("container_id", "host", image_key(), "ts", "runner")
    )


def image_key() -> pl.Expr:
    """Key under which a pull and the container it was for meet: the reference with its tag made explicit."""
    return pl.concat_str(
        pl.col("image_registry").fill_null(""),
        pl.lit("/"),
        pl.col("image_repository").fill_null(""),
        pl.lit(":"),
        pl.coalesce("image_tag", pl.when(pl.col("image_digest").is_null()).then(pl.lit("latest"))).fill_null("@"),
    ).alias("image_key")
