"""Which source tells of which workload, on which host: what the telemetry covers, and what it leaves unattributed."""

import polars as pl

from features.addresses import INTERNAL, Network
from features.events import TIME
from features.identity import UNKNOWN_HOST
from features.leases import Leases, attribute

COVERAGE_COLUMNS = (
    "ts", "event_id", "source", "kind", "action", "host", "container_id", "workload", "actor", "src_ip", "dst_ip",
    "conn_state", "image_registry", "image_repository", "image_tag", "image_digest",
)  # fmt: skip
KEY = ("source", "host", "workload")
COVERAGE_SCHEMA = dict.fromkeys(KEY, pl.String()) | {"events": pl.Int64(), "first": TIME, "last": TIME}


def coverage(events: pl.DataFrame, leases: Leases, networks: tuple[Network, ...] = INTERNAL) -> pl.DataFrame:
    """Count the events of each source, host and workload.

    Parameters
    ----------
    events
        With `COVERAGE_COLUMNS`, in any order.
    leases, networks
        As `features.leases.attribute` takes them.

    Returns
    -------
    `COVERAGE_SCHEMA`: number, time of the first and of the last event. The workload is empty for events that nobody is
    known to be the author of. Where a source names no host, it is that of the workload's containers if they have one
    host, and else empty.
    """
    named = attribute(events, leases, networks)
    homes = (
        leases.containers.filter(pl.col("host") != UNKNOWN_HOST)
        .group_by("workload")
        .agg(pl.col("host").unique())
        .filter(pl.col("host").list.len() == 1)
        .select("workload", pl.col("host").list.first().alias("home"))
    )
    placed = named.join(homes, on="workload", how="left").with_columns(
        pl.coalesce("host", "home", pl.lit("")).alias("host"), pl.col("workload").fill_null("")
    )
    return merge([placed.select(*KEY, events=1, first="ts", last="ts")])


def merge(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Sum up what parts of the telemetry cover, in the order of source, host and workload."""
    told = pl.concat([pl.DataFrame(schema=COVERAGE_SCHEMA), *parts], how="vertical_relaxed")
    return (
        told.group_by(KEY)
        .agg(pl.col("events").sum(), pl.col("first").min(), pl.col("last").max())
        .select(pl.col(name).cast(kind) for name, kind in COVERAGE_SCHEMA.items())
        .sort(KEY)
    )
