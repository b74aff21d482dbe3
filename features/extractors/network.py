"""Where a workload talks to, how much, in which protocol, and how regularly."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from features.beacons import MIN_GAPS, REGULAR, regularity
from features.flows import EXPECTED_SERVICE, domains, outbound, resolutions
from features.leases import FAILED
from features.protocols import Extraction, FeatureSpec
from features.windows import KEY, TRAILING, count_items, window_start

MIN_CHECKINS = MIN_GAPS + 1


class Network:
    """Flows, DNS, TLS and HTTP of a workload, as originator and as responder."""

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
            "network.impersonation", "items", "mismatch", "protocols not of their port", "T1001.003",
            "a protocol out of place: {value} ({expected})", "impersonation", kind_of=r"^(.*)$",
        ),
        FeatureSpec(
            "network.bare_tls", "items", "destination", "TLS without a server name, or never completed", "T1001.003",
            "TLS {value} ({expected})", "impersonation",
        ),
        FeatureSpec(
            "network.borrowed_name", "items", "name and address", "names that DNS never gave for their address",
            "T1001.003", "{value}: a name that was never resolved to this address ({expected})", "impersonation",
        ),
        FeatureSpec(
            "network.new_fingerprint", "items", "TLS fingerprint", "JA3 and JA4 fingerprints of TLS clients", "T1573",
            "a TLS client unknown to this workload: {value} ({expected})", "client",
        ),
        FeatureSpec(
            "network.new_user_agent", "items", "user agent", "HTTP clients without version numbers", "T1071.001",
            "an HTTP client unknown to this workload: {value} ({expected})", "client",
        ),
        FeatureSpec(
            "network.beacon", "items", "destination", "destinations called regularly within a day", "T1071.001",
            "calls {value} at regular intervals ({expected})", "beacon",
        ),
        FeatureSpec(
            "network.queries", "count", "DNS query", "DNS queries", "T1071.004",
            "{value} in ten minutes, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.subdomains", "count", "name", "most names asked for under one domain", "T1071.004",
            "{value} asked for under one domain in ten minutes, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.name_length", "magnitude", "character", "longest label asked for in DNS", "T1071.004",
            "a DNS label of {value}, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.failed_lookups", "count", "failed look-up", "DNS look-ups that found nothing", "T1568.002",
            "{value} in ten minutes, where {expected} is usual", "dns",
        ),
        FeatureSpec(
            "network.query_type", "items", "query type", "DNS query types used", "T1071.004",
            "first use of DNS query type {value} ({expected})", "dns", weight=0.6, kind_of=r"^(.*)$",
        ),
        FeatureSpec(
            "network.new_name", "items", "domain", "registered domains asked for in DNS", "T1071.004",
            "first look-up of {value} ({expected})", "destination",
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

    def extract(self, events: pl.DataFrame) -> Extraction:
        """Compute the network features of every window."""
        flows = outbound(events)
        values = [_volume(flows), _served(events), _dns(events)]
        items = [
            *_destinations(flows),
            *_impersonation(events, flows),
            *_clients(events),
            *_names(events),
            _beacons(flows),
        ]
        keys = pl.concat([v.select(KEY) for v in values]).unique()
        for part in values:
            keys = keys.join(part, on=KEY, how="left")
        return Extraction(keys, pl.concat(items))


def _size(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0).sum().cast(pl.Float64)


def _volume(flows: pl.DataFrame) -> pl.DataFrame:
    outside = pl.col("external")
    return flows.group_by(KEY).agg(
        pl.len().cast(pl.Float64).alias("network.connections"),
        _size("bytes_out").alias("network.bytes_out"),
        _size("bytes_in").alias("network.bytes_in"),
        pl.col("bytes_out").filter(outside).fill_null(0).sum().cast(pl.Float64).alias("network.external_bytes_out"),
        pl.col("duration").filter(outside).max().fill_null(0.0).alias("network.longest"),
        pl.struct("dst_ip", "dst_port").n_unique().cast(pl.Float64).alias("network.fan_out"),
        pl.col("conn_state").is_in(FAILED).sum().cast(pl.Float64).alias("network.failed"),
    )


def _inbound(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter((pl.col("kind") == "flow") & pl.col("peer").is_not_null()).select(
        pl.col("peer").alias("workload"),
        window_start(),
        pl.coalesce("workload", "src_ip").alias("client"),
        "conn_state",
    )


def _served(events: pl.DataFrame) -> pl.DataFrame:
    return _inbound(events).group_by(KEY).agg(pl.len().cast(pl.Float64).alias("network.served"))


def _destinations(flows: pl.DataFrame) -> list[pl.DataFrame]:
    reached = flows.filter(~pl.col("conn_state").is_in(FAILED) | pl.col("conn_state").is_null())
    port = pl.concat_str("dst_port", pl.lit("/"), "proto")
    return [
        count_items(flows, "network.new_destination", pl.col("destination")),
        count_items(reached, "network.new_edge", pl.col("edge")),
        count_items(reached.filter("external"), "network.new_port", port),
    ]


def _impersonation(events: pl.DataFrame, flows: pl.DataFrame) -> list[pl.DataFrame]:
    expected = pl.col("dst_port").replace_strict(EXPECTED_SERVICE, default=None, return_dtype=pl.String)
    spoken = flows.filter(
        (pl.col("proto") == "tcp") & (pl.col("bytes_out") > 0) & (pl.col("bytes_in") > 0) | (pl.col("proto") == "udp")
    ).with_columns(expected.alias("expected"), pl.col("service").fill_null("something unknown").alias("spoken"))
    mismatch = spoken.filter(
        (pl.col("expected").is_not_null() & ~pl.col("spoken").str.contains(pl.col("expected"), literal=True))
        | (pl.col("expected").is_null() & pl.col("external") & pl.col("spoken").is_in(list(EXPECTED_SERVICE.values())))
    )
    meant = pl.concat_str(pl.lit(" where "), "expected", pl.lit(" is expected"))
    what = pl.concat_str(
        "spoken", pl.lit(" on port "), "dst_port", pl.lit("/"), "proto", meant.fill_null(""), ignore_nulls=True
    )
    tls = events.filter((pl.col("kind") == "tls") & pl.col("workload").is_not_null()).with_columns(window_start())
    fault = (
        pl.when(pl.col("server_name").is_null())
        .then(pl.lit("without a server name to "))
        .when(~pl.col("established"))
        .then(pl.lit("never completed with "))
    )
    destination = flows.select("uid", "destination", "external").unique("uid", keep="first", maintain_order=True)
    tls = tls.join(destination, on="uid", how="left").with_columns(pl.coalesce("destination", "dst_ip"))
    return [
        count_items(mismatch, "network.impersonation", what),
        count_items(tls, "network.bare_tls", pl.concat_str(fault, "destination")),
        count_items(_borrowed(events, flows), "network.borrowed_name", pl.concat_str("said", pl.lit(" at "), "dst_ip")),
    ]


def _borrowed(events: pl.DataFrame, flows: pl.DataFrame) -> pl.DataFrame:
    """Flows whose client named a host that DNS, where the workload's DNS is seen, never gave for that address."""
    sees_dns = events.filter(pl.col("kind") == "dns").select("workload").unique()
    answered = (
        resolutions(events)
        .group_by("dst_ip", pl.col("resolved").alias("said"))
        .agg(pl.col("ts").min().alias("answered"))
    )
    named = flows.filter(pl.col("external") & pl.col("said").is_not_null() & (pl.col("said") != pl.col("dst_ip")))
    return (
        named.join(sees_dns, on="workload", how="semi")
        .join(answered, on=["said", "dst_ip"], how="left")
        .filter(pl.col("answered").is_null() | (pl.col("answered") > pl.col("ts")))
    )


def _clients(events: pl.DataFrame) -> list[pl.DataFrame]:
    said = events.filter(pl.col("kind").is_in(["tls", "http"]) & pl.col("workload").is_not_null())
    said = said.with_columns(window_start())
    agent = pl.col("user_agent").str.replace_all(r"[\d.]+", "#").str.slice(0, 120)
    return [
        count_items(said, "network.new_fingerprint", pl.coalesce("ja4", "ja3")),
        count_items(said.filter(pl.col("kind") == "http"), "network.new_user_agent", agent),
        count_items(_inbound(events), "network.new_client", pl.col("client")),
    ]


def _queries(events: pl.DataFrame) -> pl.DataFrame:
    dns = events.filter((pl.col("kind") == "dns") & pl.col("workload").is_not_null() & pl.col("query").is_not_null())
    return dns.with_columns(window_start()).join(domains(dns["query"]), on="query", how="left")


def _dns(events: pl.DataFrame) -> pl.DataFrame:
    queries = _queries(events)
    label = pl.col("query").str.split(".").list.eval(pl.element().str.len_chars()).list.max()
    counts = queries.group_by(KEY).agg(
        pl.len().cast(pl.Float64).alias("network.queries"),
        label.max().cast(pl.Float64).alias("network.name_length"),
        (pl.col("rcode").is_in(["NXDOMAIN", "SERVFAIL"])).sum().cast(pl.Float64).alias("network.failed_lookups"),
    )
    under = queries.group_by(*KEY, "domain").agg(pl.col("query").n_unique().cast(pl.Float64).alias("names"))
    return counts.join(under.group_by(KEY).agg(pl.col("names").max().alias("network.subdomains")), on=KEY, how="left")


def _names(events: pl.DataFrame) -> list[pl.DataFrame]:
    queries = _queries(events)
    return [
        count_items(queries, "network.query_type", pl.col("qtype")),
        count_items(queries, "network.new_name", pl.col("domain")),
    ]


def _beacons(flows: pl.DataFrame) -> pl.DataFrame:
    """External destinations at the windows in which the calls of the last day are regular."""
    edges = (
        flows.filter("external")
        .filter(pl.len().over("workload", "edge") >= MIN_CHECKINS)
        .sort("workload", "edge", "ts")
    )
    scored = []
    for (_, _), edge in edges.group_by("workload", "edge", maintain_order=True):
        times = edge["ts"].dt.epoch("us").to_numpy() / 1e6
        recent = times - np.roll(times, MIN_CHECKINS - 1) < TRAILING.total_seconds()
        scored.append(edge.select(*KEY, "edge").filter(pl.Series((regularity(times) >= REGULAR) & recent)))
    empty = edges.clear().select(*KEY, "edge")
    return count_items(pl.concat([empty, *scored]), "network.beacon", pl.col("edge"))


extractor = Network()
