"""What a lake tells of the estate it is from, as it stood at a time: containers, manners, sites, resolver, registry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features.addresses import INTERNAL, Network
from features.extraction import SHARED, read_leases
from features.identity import UNKNOWN_HOST
from features.lake import Lake
from features.leases import attribute

DAY = timedelta(days=1)
PUBLIC = ("docker.io", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io", "public.ecr.aws", "mcr.microsoft.com")
STANDING = (
    "ts", "event_id", "kind", "action", "host", "container_id", "container_name", "workload", "image",
    "image_registry", "image_repository", "image_tag", "image_digest", "addresses",
)  # fmt: skip
SPOKEN = (*SHARED, "dst_port", "uid", "server_name", "tls_version", "ja3", "ja4", "user_agent")


@dataclass(frozen=True, eq=False)
class Observed:
    """An estate at a time.

    Parameters
    ----------
    at
        When.
    containers
        Those of a Docker Engine that ran and had an IPv4 address, a row each, by workload.
    spoken
        TLS and HTTP of the workloads to the outside in the day before.
    resolver
        Address that most names were asked of in that day, or at all; empty without DNS.
    registry, registry_addresses
        The operator's own registry: the one that most containers come from, of those that are not public; and where it
        was reached. Empty if there is none.
    """

    at: datetime
    containers: pl.DataFrame
    spoken: pl.DataFrame
    resolver: str
    registry: str
    registry_addresses: tuple[str, ...]


def observe(lake: Lake, at: datetime, networks: Sequence[Network] = INTERNAL) -> Observed:
    """Read how the estate stood at a time.

    Raises
    ------
    LookupError
        If no container of a Docker Engine ran then that has an IPv4 address.
    """
    containers = _standing(lake, at)
    if containers.is_empty():
        raise LookupError(f"at {at:%Y-%m-%d %H:%M} UTC no container of a Docker Engine ran that has an IPv4 address")
    told = lake.read(since=at - DAY, until=at, kinds=("tls", "http"), columns=SPOKEN)
    spoken = attribute(told, read_leases(lake, at), tuple(networks))
    own = containers.filter(~pl.col("image_registry").is_in(PUBLIC))["image_registry"]
    registry = most_common(own)
    reached = told.filter(pl.col("server_name") == registry.partition(":")[0])["dst_ip"].unique().sort()
    return Observed(
        at,
        containers,
        spoken.filter(pl.col("external") & pl.col("workload").is_not_null()),
        _resolver(lake, at),
        registry,
        tuple(reached.to_list()),
    )


def most_common(said: pl.Series) -> str:
    """Return what is said most often, of equals the first in order; empty if nothing is."""
    counted = said.drop_nulls().value_counts().sort("count", said.name, descending=[True, False])
    return str(counted[said.name][0]) if len(counted) else ""


def _standing(lake: Lake, at: datetime) -> pl.DataFrame:
    """List the containers that ran at a time, each with its last known address.

    Who begins is told by a start or by a snapshot with an address, for an engine gives none to what does not run.
    """
    told = lake.read(until=at, kinds=("config", "lifecycle"), columns=STANDING)
    last = ("image", "image_registry", "image_repository", "image_tag", "image_digest", "container_name", "address")
    address = pl.col("addresses").list.eval(pl.element().filter(~pl.element().str.contains(":"))).list.first()
    began = (pl.col("action") == "start") | (pl.col("addresses").list.len() > 0)
    return (
        told.filter(pl.col("container_id").is_not_null() & pl.col("workload").str.starts_with("docker:"))
        .with_columns(address.alias("address"), pl.col("host").fill_null(UNKNOWN_HOST))
        .group_by("container_id", maintain_order=True)
        .agg(
            pl.col("ts").min().alias("since"),
            pl.col("ts").filter(began).max().alias("began"),
            pl.col("ts").filter(pl.col("action").is_in(["die", "destroy"])).max().alias("ended"),
            pl.col("host", "workload").last(),
            pl.col(last).drop_nulls().last(),
        )
        .filter(pl.col("ended").is_null() | (pl.col("ended") < pl.col("began")))
        .drop_nulls(["began", "address", "image"])
        .sort("workload", "container_id")
    )


def _resolver(lake: Lake, at: datetime) -> str:
    for since in (at - DAY, None):
        asked = lake.read(since=since, until=at, kinds=("dns",), columns=("dst_ip",))
        if not asked.is_empty():
            break
    return most_common(asked["dst_ip"])
