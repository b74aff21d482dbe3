"""Flows made ready for features: how a destination is named, and what was said about it in DNS, TLS and HTTP."""

from functools import lru_cache
from ipaddress import ip_address

import polars as pl

from features.addresses import mapped, registered_domain
from features.answers import Answers
from features.windows import TRAILING, window_start

CONNECTED = ("flow", "tls", "http")  # kinds that tell of connections
NAMED = ("said", "borrowed", "destination", "edge")
# Columns are chosen before rows are: a filter copies all that it is given.
ASKED = ("ts", "event_id", "kind", "workload", "peer", "external", "dst_ip", "dst_port", "proto", "uid", "server_name")
_FLOW = (
    "ts", "workload", "peer", "dst_ip", "dst_port", "proto", "service", "bytes_out", "bytes_in", "duration",
    "conn_state", "uid", "external",
)  # fmt: skip

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


def name_destinations(events: pl.DataFrame, answers: Answers, others: pl.DataFrame | None = None) -> pl.DataFrame:
    """Name where the flows of workloads went.

    Parameters
    ----------
    events
        Attributed events in time order.
    answers
        What DNS answered to the whole fleet in the span of the events.
    others
        Events beyond these that are of the same connections, or show that a workload's DNS is seen (`ASKED`).

    Returns
    -------
    The events with the columns of `NAMED`: of a flow `said` (the name that the workload gave in TLS or HTTP),
    `borrowed` (whether that is a name that DNS, where the workload's DNS is seen, never gave for the address before),
    `destination` (workload, the registered domain last answered for the address within `TRAILING`, or address) and
    `edge` (`destination:port`); of what was said in TLS or HTTP the `destination` of its connection's first flow.
    """
    own = rows = events.select(ASKED).with_row_index("row")
    if others is not None and not others.is_empty():
        rows = pl.concat([own, others], how="diagonal").sort("ts", "event_id")
    flows = (
        rows.filter(_leaves())
        .drop("server_name")
        .join(_said(rows), on=["workload", "uid"], how="left", maintain_order="left")
        .join_asof(answers.runs, left_on="ts", right_on="first", by="dst_ip", check_sortedness=False)
        .with_columns(pl.when(pl.col("ts") - pl.col("last") <= TRAILING).then("resolved").alias("resolved"))
        .join(
            answers.runs.group_by("dst_ip", pl.col("resolved").alias("said")).agg(answered=pl.col("first").min()),
            on=["dst_ip", "said"],
            how="left",
            maintain_order="left",
        )
    )
    names = domains(pl.concat([flows["resolved"], flows["said"].rename("resolved")]))
    for name in ("resolved", "said"):
        flows = flows.join(
            names.rename({"resolved": name, "domain": f"{name}_domain"}), on=name, how="left", maintain_order="left"
        )
    # A name that only the client gave may be borrowed: it names the destination only where no DNS is seen at all.
    client_says = pl.lit(None, pl.String()) if answers.heard else "said_domain"
    destination = pl.coalesce("peer", "resolved_domain", client_says, "dst_ip").alias("destination")
    port = pl.when(pl.col("dst_port").is_null() | (pl.col("proto") == "icmp"))
    edge = port.then(pl.concat_str("destination", pl.lit(" "), pl.col("proto").fill_null("ip"))).otherwise(
        pl.concat_str("destination", pl.lit(":"), "dst_port")
    )
    flows = flows.with_columns(destination).with_columns(edge.alias("edge"), _borrowed(rows).alias("borrowed"))
    found = pl.concat([flows.select("row", *NAMED), _connected(rows, flows)], how="diagonal")
    named = own.select("row").join(found, on="row", how="left", maintain_order="left")
    return events.with_columns(named.drop("row").get_columns())


def _leaves() -> pl.Expr:
    return (pl.col("kind") == "flow") & pl.all_horizontal(pl.col("workload", "dst_ip").is_not_null())


def says() -> pl.Expr:
    """Select what workloads said in TLS and HTTP."""
    return pl.col("kind").is_in(["tls", "http"]) & pl.col("workload").is_not_null()


def _said(events: pl.DataFrame) -> pl.DataFrame:
    """Give the name that each workload first said on each connection: `workload, uid, said`."""
    said = events.filter(says() & pl.all_horizontal(pl.col("uid", "server_name").is_not_null()))
    return said.select("workload", "uid", pl.col("server_name").str.replace(r":\d+$", "").alias("said")).unique(
        ["workload", "uid"], keep="first", maintain_order=True
    )


def _connected(rows: pl.DataFrame, flows: pl.DataFrame) -> pl.DataFrame:
    """Give where the connections led on which something was said: `row, destination`."""
    first = flows.select("workload", "uid", "destination").unique(
        ["workload", "uid"], keep="first", maintain_order=True
    )
    said = rows.select("row", "kind", "workload", "uid").filter(says())
    return said.join(first, on=["workload", "uid"]).select("row", "destination")


def _borrowed(events: pl.DataFrame) -> pl.Expr:
    ask = events.filter(pl.col("kind") == "dns")["workload"].drop_nulls().unique()
    named = pl.col("external") & (pl.col("said") != pl.col("dst_ip")) & pl.col("workload").is_in(ask.implode())
    return named & (pl.col("answered").is_null() | (pl.col("answered") > pl.col("ts")))


def outbound(events: pl.DataFrame) -> pl.DataFrame:
    """Give every flow of a workload, in time order, with `window_start` and the columns of `NAMED`."""
    flows = events.select("kind", *_FLOW, *NAMED).filter(_leaves()).drop("kind")
    return flows.with_columns(window_start()).sort("ts", maintain_order=True)


def inbound(events: pl.DataFrame) -> pl.DataFrame:
    """Give every flow to a workload: `workload` (who was reached), `window_start`, `client` and `conn_state`."""
    flows = events.select("ts", "kind", "workload", "peer", "src_ip", "conn_state")
    return flows.filter((pl.col("kind") == "flow") & pl.col("peer").is_not_null()).select(
        pl.col("peer").alias("workload"),
        window_start(),
        pl.coalesce("workload", "src_ip").alias("client"),
        "conn_state",
    )
