"""Flows made ready for features: how a destination is named, and what was said about it in DNS, TLS and HTTP."""

from functools import lru_cache
from ipaddress import ip_address

import polars as pl

from features.addresses import mapped, registered_domain
from features.windows import TRAILING, window_start

# What Zeek's content-based detection says on a well-known port; anything else there is another protocol in its place.
EXPECTED_SERVICE = {22: "ssh", 25: "smtp", 53: "dns", 80: "http", 123: "ntp", 443: "ssl", 853: "ssl", 8443: "ssl"}


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1 << 17)
def domain_of(name: str) -> str | None:
    """Give the registered domain of a name; None for what is an address."""
    return None if _is_address(name) else registered_domain(name)


def domains(names: pl.Series) -> pl.DataFrame:
    """Give the registered domain of each distinct name; null for what is an address."""
    return mapped(names, "domain", domain_of, pl.String())


def resolutions(events: pl.DataFrame) -> pl.DataFrame:
    """List which address was answered for which name, and when: `dst_ip, ts, resolved`, sorted by time."""
    return (
        events.filter(pl.col("kind") == "dns")
        .select("ts", pl.col("query").alias("resolved"), pl.col("answers").alias("dst_ip"))
        .explode("dst_ip", empty_as_null=True, keep_nulls=False)
        .drop_nulls()
        .sort("ts")
    )


def outbound(events: pl.DataFrame) -> pl.DataFrame:
    """Give every attributed flow with its destination named.

    Returns
    -------
    The flow events with `window_start`, `external` (bool), `resolved` (the name last answered for the address within
    `TRAILING`), `said` (the name given in TLS or HTTP), `destination` (workload, registered domain or address) and
    `edge` (`destination:port`).
    """
    flows = (
        events.filter((pl.col("kind") == "flow") & pl.col("workload").is_not_null() & pl.col("dst_ip").is_not_null())
        .select(
            "ts", "workload", "peer", "dst_ip", "dst_port", "proto", "service", "bytes_out", "bytes_in", "duration",
            "conn_state", "uid", "external", window_start(),
        )
        .sort("ts")
    )  # fmt: skip
    said = (
        events.filter(pl.col("kind").is_in(["tls", "http"]) & pl.col("server_name").is_not_null())
        .select("uid", pl.col("server_name").str.replace(r":\d+$", "").alias("said"))
        .unique("uid", keep="first", maintain_order=True)
    )
    flows = flows.join(said, on="uid", how="left", maintain_order="left").join_asof(
        resolutions(events), on="ts", by="dst_ip", tolerance=TRAILING, check_sortedness=False
    )
    names = domains(pl.concat([flows["resolved"], flows["said"].rename("resolved")]))
    for name in ("resolved", "said"):
        flows = flows.join(
            names.rename({"resolved": name, "domain": f"{name}_domain"}), on=name, how="left", maintain_order="left"
        )
    # A name that only the client gave may be borrowed: it names the destination only where no DNS is seen at all.
    client_says = "said_domain" if events.filter(pl.col("kind") == "dns").is_empty() else pl.lit(None, pl.String())
    outside_name = pl.coalesce("resolved_domain", client_says, "dst_ip")
    named = pl.when(pl.col("peer").is_not_null()).then("peer").otherwise(outside_name)
    return flows.with_columns(pl.col("external") & pl.col("peer").is_null(), named.alias("destination")).with_columns(
        pl.when(pl.col("dst_port").is_null() | (pl.col("proto") == "icmp"))
        .then(pl.concat_str("destination", pl.lit(" "), pl.col("proto").fill_null("ip")))
        .otherwise(pl.concat_str("destination", pl.lit(":"), "dst_port"))
        .alias("edge")
    )


def inbound(events: pl.DataFrame) -> pl.DataFrame:
    """Give every flow to a workload: `workload` (who was reached), `window_start`, `client` and `conn_state`."""
    return events.filter((pl.col("kind") == "flow") & pl.col("peer").is_not_null()).select(
        pl.col("peer").alias("workload"),
        window_start(),
        pl.coalesce("workload", "src_ip").alias("client"),
        "conn_state",
    )
