"""Where a workload talks to, how much, and how regularly."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features import trailing
from features.addresses import is_group
from features.beacons import latest, strengths
from features.events import EPOCH
from features.flows import inbound, outbound
from features.leases import FAILED
from features.protocols import NOTHING, Extraction, FeatureSpec, Trail
from features.windows import KEY, count_items, starting

BEACON = 10.0  # bits against chance from which calls to the outside are a beacon
INTERNAL_BEACON = 20.0  # the same inside, where schedules and health checks are many
DRIP_HOURS = 4  # different hours of a day in which a destination is sent to
SENT = ("bytes_out", "bytes_in")
DRIP_RATIO = 1.5  # of what is sent to it within a day to what it answers


class Network:
    """Flows of a workload, as originator and as responder."""

    specs: Sequence[FeatureSpec] = (
        FeatureSpec(
            "network.connections", "count", "connection", "connections opened", "T1071",
            "{value} opened in ten minutes, where {expected} is usual", "volume",
        ),
        FeatureSpec(
            "network.bytes_out", "magnitude", "byte", "bytes sent", "T1048",
            "{value} sent in ten minutes, where {expected} is usual", "volume",
        ),
        FeatureSpec(
            "network.bytes_in", "magnitude", "byte", "bytes received", "T1105",
            "{value} received in ten minutes, where {expected} is usual", "volume",
        ),
        FeatureSpec(
            "network.external_bytes_out", "magnitude", "byte", "bytes sent outside", "T1048",
            "{value} sent outside in ten minutes, where {expected} is usual", "exfiltration",
        ),
        FeatureSpec(
            "network.longest", "magnitude", "second", "longest connection to the outside", "T1095",
            "a connection to the outside lasted {value}, where {expected} is usual", "exfiltration",
        ),
        FeatureSpec(
            "network.drip", "items", "destination", "destinations that are mostly sent to, in many hours of a day",
            "T1030", "sends to {value} little by little ({expected})", "exfiltration", weight=0.6,
        ),
        FeatureSpec(
            "network.fan_out", "count", "address and port", "addresses and ports tried", "T1046",
            "{value} tried in ten minutes, where {expected} is usual", "scan",
        ),
        FeatureSpec(
            "network.failed", "count", "failed connection", "connections refused or never answered", "T1046",
            "{value} in ten minutes, where {expected} is usual", "scan",
        ),
        FeatureSpec(
            "network.new_destination", "items", "destination", "workloads, domains and addresses talked to",
            "T1071.001",
            "first contact with {value} ({expected})", "destination",
        ),
        FeatureSpec(
            "network.new_edge", "items", "destination and port", "destinations with their port", "T1571",
            "first contact with {value} ({expected})", "destination", kind_of=r":(\d+)$",
        ),
        FeatureSpec(
            "network.new_port", "items", "port", "external ports talked to, with protocol", "T1571",
            "first use of external port {value} ({expected})", "impersonation", weight=0.8,
        ),
        FeatureSpec(
            "network.beacon", "items", "destination", "destinations called regularly within a day", "T1071.001",
            "calls {value} at regular intervals ({expected})", "beacon",
        ),
        FeatureSpec(
            "network.internal_beacon", "items", "destination", "workloads called regularly within a day", "T1090.001",
            "calls {value} at regular intervals ({expected})", "beacon",
        ),
        FeatureSpec(
            "network.served", "count", "connection", "connections accepted", "T1046",
            "{value} arrived in ten minutes, where {expected} is usual", "served", weight=0.5,
        ),
        FeatureSpec(
            "network.new_client", "items", "client", "workloads and addresses that connect to this one", "T1210",
            "first connection from {value} ({expected})", "served", weight=0.7,
        ),
    )  # fmt: skip

    kinds = ("flow",)

    def trail(self, events: pl.DataFrame, before: Trail = NOTHING) -> Trail:
        """Keep the latest calls along edges, and what was sent outside in each window."""
        flows = outbound(events)
        outside, inside = flows.filter("external"), flows.filter(~pl.col("external"))
        groups = [address for address in inside["dst_ip"].unique() if is_group(address)]
        calls = {"outside": outside, "inside": inside.filter(~pl.col("dst_ip").is_in(groups))}
        found = {name: own.select("workload", "edge", "ts") for name, own in calls.items()}
        if before:
            found = {name: pl.concat([latest(before[name]), own]) for name, own in found.items()}
        sent = outside.group_by(*KEY, "destination").agg(pl.col(SENT).sum())
        return found | {"sent": trailing.joined(before.get("sent"), sent)}

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH, trail: Trail | None = None) -> Extraction:
        """Compute the network features of windows: beacons and drips look back over a day."""
        trail = self.trail(events) if trail is None else trail
        flows, arrivals = (part.filter(starting(since)) for part in (outbound(events), inbound(events)))
        values = _volume(flows).join(_served(arrivals), on=KEY, how="full", coalesce=True)
        items = [*_destinations(flows), count_items(arrivals, "network.new_client", pl.col("client"))]
        return Extraction(values, pl.concat([*items, *_beacons(trail, since), _drips(trail["sent"])]))


def _size(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0).sum().cast(pl.Float64)


def _volume(flows: pl.DataFrame) -> pl.DataFrame:
    outside = pl.col("external")
    return flows.group_by(KEY).agg(
        pl.len().cast(pl.Float64).alias("network.connections"),
        _size("bytes_out").alias("network.bytes_out"),
        _size("bytes_in").alias("network.bytes_in"),
        pl.when(outside).then("bytes_out").sum().cast(pl.Float64).alias("network.external_bytes_out"),
        pl.when(outside).then("duration").max().fill_null(0.0).alias("network.longest"),
        pl.struct("dst_ip", "dst_port").n_unique().cast(pl.Float64).alias("network.fan_out"),
        pl.col("conn_state").is_in(FAILED).sum().cast(pl.Float64).alias("network.failed"),
    )


def _served(arrivals: pl.DataFrame) -> pl.DataFrame:
    return arrivals.group_by(KEY).agg(pl.len().cast(pl.Float64).alias("network.served"))


def _destinations(flows: pl.DataFrame) -> list[pl.DataFrame]:
    reached = flows.filter(~pl.col("conn_state").is_in(FAILED) | pl.col("conn_state").is_null())
    port = pl.concat_str("dst_port", pl.lit("/"), "proto")
    return [
        count_items(flows, "network.new_destination", pl.col("destination")),
        count_items(reached, "network.new_edge", pl.col("edge")),
        count_items(reached.filter("external"), "network.new_port", port),
    ]


def _beacons(calls: Trail, since: datetime) -> list[pl.DataFrame]:
    outside = strengths(calls["outside"], since).filter(pl.col("strength") >= BEACON)
    within = strengths(calls["inside"], since).filter(pl.col("strength") >= INTERNAL_BEACON)
    return [
        count_items(outside, "network.beacon", pl.col("edge")),
        count_items(within, "network.internal_beacon", pl.col("edge")),
    ]


def _drips(sent: pl.DataFrame) -> pl.DataFrame:
    """Destinations outside to which a day of small transfers adds up, far more sent than answered."""
    sums = ("destination",)
    hours = sent.with_columns(pl.col("window_start").dt.truncate("1h").alias("item"))
    often = trailing.distinct(hours, within=sums).filter(pl.col("distinct") >= DRIP_HOURS)
    day = trailing.total(sent, SENT, within=sums)
    drips = day.filter(pl.col("bytes_out") > DRIP_RATIO * pl.col("bytes_in")).join(often, on=[*KEY, *sums])
    return count_items(drips, "network.drip", pl.col("destination"))


extractor = Network()
