"""The same estate through worse sensors, made from its lake file by file: blind spots as figures.

A condition is a function from events to events. What it cannot know of one file alone (who held an address, when a
container died) it is given as `Seen`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import polars as pl

from features.addresses import is_external, mapped
from features.extraction import TRAFFIC, read_leases
from features.lake import Lake

SNAPSHOTS, ENGINE, AUDIT = "docker_inspect", "docker_events", "kubernetes_audit"
NAMES = ("server_name", "ja3", "ja4", "alpn", "uri", "user_agent", "query")  # what encryption hides of traffic
_HOSTS = "10.254."  # stands for the hosts' own addresses, where all of their containers hide behind one

_traffic = pl.col("kind").is_in(TRAFFIC)


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of a whole lake.

    Parameters
    ----------
    addresses
        `address, holder_host, valid_from`, sorted by `valid_from`.
    deaths
        `container_id, death`.
    hosts
        Names of the hosts, in order.
    """

    addresses: pl.DataFrame
    deaths: pl.DataFrame
    hosts: tuple[str, ...]

    @classmethod
    def of(cls, lake: Lake) -> "Seen":
        """Read who held which address, and when containers died."""
        addresses = (
            read_leases(lake)
            .addresses.filter(pl.col("host").is_not_null())
            .select("address", pl.col("host").alias("holder_host"), "valid_from")
        )
        ends = lake.read(kinds=["lifecycle"], columns=["ts", "action", "container_id", "host"])
        deaths = (
            ends.filter(pl.col("action").is_in(["die", "destroy"]))
            .group_by("container_id")
            .agg(pl.col("ts").max().alias("death"))
        )
        hosts = ends["host"].drop_nulls().unique().sort().to_list()
        return cls(addresses.sort("valid_from", "address", "holder_host"), deaths, tuple(hosts))


Change = Callable[[pl.DataFrame, Seen], pl.DataFrame]


def _encrypted(events: pl.DataFrame, _seen: Seen) -> pl.DataFrame:
    hidden = [pl.when(_traffic).then(None).otherwise(pl.col(name)).alias(name) for name in NAMES]
    return events.filter(pl.col("kind") != "http").with_columns(hidden)


def _air_gapped(events: pl.DataFrame, _seen: Seen) -> pl.DataFrame:
    outside = mapped(events["dst_ip"], "outside", is_external, pl.Boolean())
    joined = events.join(outside, on="dst_ip", how="left", maintain_order="left")
    kept = joined.filter(~(_traffic & pl.col("outside").fill_null(value=False)) & (pl.col("kind") != "dns"))
    return kept.drop("outside")


def _lossy(events: pl.DataFrame, _seen: Seen, *, per_mille: int) -> pl.DataFrame:
    return events.filter(pl.col("event_id") // 65_536 % 1000 >= per_mille)


def _skewed(events: pl.DataFrame, seen: Seen, *, seconds: float) -> pl.DataFrame:
    fast = pl.col("host").is_in(seen.hosts[::2])
    moved = [
        pl.when(fast).then(pl.col(name) + timedelta(seconds=seconds)).otherwise(pl.col(name)).alias(name)
        for name in ("ts", "valid_from")
    ]
    return events.with_columns(moved)


def _without(events: pl.DataFrame, _seen: Seen, *, gone: pl.Expr) -> pl.DataFrame:
    return events.filter(~gone.fill_null(value=False))


def _polled(events: pl.DataFrame, seen: Seen, *, seconds: int) -> pl.DataFrame:
    """Show a container at the next look at its host, and not at all where it is gone by then."""
    snapshot = pl.col("source") == SNAPSHOTS
    look = pl.col("ts").dt.offset_by(f"{seconds}s").dt.truncate(f"{seconds}s")
    return (
        events.join(seen.deaths, on="container_id", how="left", maintain_order="left")
        .with_columns(pl.when(snapshot).then(look).otherwise(pl.col("ts")).alias("ts"))
        .filter(~snapshot | pl.col("death").is_null() | (pl.col("ts") < pl.col("death")))
        .drop("death")
    )


def _behind_hosts(events: pl.DataFrame, seen: Seen) -> pl.DataFrame:
    """Replace the addresses of containers by one of their host's, at both ends."""
    own = {host: f"{_HOSTS}{number // 250}.{1 + number % 250}" for number, host in enumerate(seen.hosts)}
    for end in ("src_ip", "dst_ip"):
        events = (
            events.sort("ts", "event_id")
            .join_asof(
                seen.addresses.rename({"address": end}),
                left_on="ts",
                right_on="valid_from",
                by=end,
                suffix="_lease",
                check_sortedness=False,
            )
            .with_columns(
                pl.when(_traffic & pl.col("holder_host").is_in(list(own)))
                .then(pl.col("holder_host").replace_strict(own, default=None, return_dtype=pl.String))
                .otherwise(pl.col(end))
                .alias(end)
            )
            .drop("holder_host", "valid_from_lease")
        )
    return events


@dataclass(frozen=True)
class Sensors:
    """A way in which sensors are worse than the simulator's."""

    name: str
    meaning: str
    change: Change


CONDITIONS = (
    Sensors("encrypted", "no names, fingerprints, addresses of pages nor questions in traffic; no HTTP", _encrypted),
    Sensors("air-gapped", "nothing outside is reached, and nothing is asked of DNS", _air_gapped),
    Sensors("1 % lost", "one event in a hundred is lost", partial(_lossy, per_mille=10)),
    Sensors("10 % lost", "one event in ten is lost", partial(_lossy, per_mille=100)),
    Sensors("clocks 2 s off", "half of the hosts run two seconds ahead", partial(_skewed, seconds=2)),
    Sensors("clocks 60 s off", "half of the hosts run a minute ahead", partial(_skewed, seconds=60)),
    Sensors("no snapshots", "no container is inspected", partial(_without, gone=pl.col("source") == SNAPSHOTS)),
    Sensors("polled 30 s", "containers are inspected every half minute", partial(_polled, seconds=30)),
    Sensors("polled 5 min", "containers are inspected every five minutes", partial(_polled, seconds=300)),
    Sensors("no engine events", "no engine is listened to", partial(_without, gone=pl.col("source") == ENGINE)),
    Sensors("no network logs", "no flow, DNS, TLS nor HTTP", partial(_without, gone=_traffic)),
    Sensors("no DNS", "no DNS log", partial(_without, gone=pl.col("kind") == "dns")),
    Sensors("no Kubernetes audit", "no audit log", partial(_without, gone=pl.col("source") == AUDIT)),
    Sensors("behind hosts", "containers show their host's address (NAT, host network)", _behind_hosts),
)


def seen_through(lake: Lake, sensors: Sensors, into: Lake, seen: Seen) -> None:
    """Write into an empty lake what worse sensors would have seen, in as much memory as one file takes."""
    for events in lake.parts():
        into.append(sensors.change(events, seen))
