"""Protocols that are not what they seem to be, and clients that a workload never was."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.addresses import mapped
from features.events import EPOCH
from features.flows import EXPECTED_SERVICE, outbound, says
from features.http_clients import agent_profile, path_profile
from features.protocols import Extraction, FeatureSpec
from features.windows import KEY, count_items, starting, window_start

_PORT = r":\d+$"
_SAID = (
    "ts", "kind", "workload", "dst_ip", "destination", "external", "server_name", "established", "ja3", "ja4", "method",
    "uri", "user_agent",
)  # fmt: skip


class Impersonation:
    """Protocol against port, name against address, and the profile of a workload's TLS and HTTP clients."""

    specs: Sequence[FeatureSpec] = (
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
            "network.bare_address", "items", "address", "addresses outside that HTTP asks for by number", "T1001.003",
            "HTTP to {value} without a name ({expected})", "impersonation",
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
            "network.new_request", "items", "request", "methods and first steps of paths asked for", "T1071.001",
            "an HTTP request unknown to this workload: {value} ({expected})", "client",
        ),
    )  # fmt: skip

    kinds = ("flow", "tls", "http")

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH) -> Extraction:
        """Compute what is out of place in windows; there is nothing to count, so values are keys alone."""
        flows, said = (part.filter(starting(since)) for part in (outbound(events), _said(events)))
        windows = pl.concat([flows.select(KEY), said.select(KEY)]).unique()
        borrowed = pl.concat_str("said", pl.lit(" at "), "dst_ip")
        items = [
            *_mismatched(flows),
            *_misnamed(said),
            count_items(flows.filter("borrowed"), "network.borrowed_name", borrowed),
            *_clients(said),
        ]
        return Extraction(windows, pl.concat(items))


def _said(events: pl.DataFrame) -> pl.DataFrame:
    return events.select(_SAID).filter(says()).with_columns(window_start())


def _mismatched(flows: pl.DataFrame) -> list[pl.DataFrame]:
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
    return [count_items(mismatch, "network.impersonation", what)]


def _misnamed(said: pl.DataFrame) -> list[pl.DataFrame]:
    fault = (
        pl.when(pl.col("server_name").is_null())
        .then(pl.lit("without a server name to "))
        .when(~pl.col("established"))
        .then(pl.lit("never completed with "))
    )
    tls, http = (said.filter(pl.col("kind") == kind) for kind in ("tls", "http"))
    numbered = http.filter("external", pl.col("server_name").str.replace(_PORT, "") == pl.col("dst_ip"))
    return [
        count_items(tls, "network.bare_tls", pl.concat_str(fault, pl.coalesce("destination", "dst_ip"))),
        count_items(numbered, "network.bare_address", pl.col("dst_ip")),
    ]


def _clients(said: pl.DataFrame) -> list[pl.DataFrame]:
    http = said.filter(pl.col("kind") == "http")
    agents = mapped(http["user_agent"], "agent", agent_profile, pl.String())
    paths = mapped(http["uri"], "path", path_profile, pl.String())
    http = http.join(agents, on="user_agent", how="left").join(paths, on="uri", how="left")
    return [
        count_items(said, "network.new_fingerprint", pl.coalesce("ja4", "ja3")),
        count_items(http, "network.new_user_agent", pl.col("agent")),
        count_items(http, "network.new_request", pl.concat_str("method", pl.lit(" "), "path")),
    ]


extractor = Impersonation()
