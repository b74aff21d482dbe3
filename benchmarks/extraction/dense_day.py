"""A made-up day of traffic as attribution leaves it: many workloads, few destinations each, some called like home."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import TIME

MIDNIGHT = 1_789_344_000_000_000  # 14 September 2026, in microseconds
SECONDS = 86_400
NAMES = 20_000  # hosts outside, on a quarter as many registered domains
KNOWN = 40  # destinations of a workload: the first are inside
INSIDE = 12
BEACONS = 0.06  # of all flows
PERIODS = (60, 300, 900)  # seconds between the calls of a beacon, late by up to a tenth of it
ASKED = 0.3  # of flows to a name, those that look it up anew
PORTS = {"ssl": 443, "http": 80, "postgresql": 5432}
WEB = 3  # of four hosts outside speak TLS, the fourth HTTP

Ints = NDArray[np.int64]


def day(flows: int, workloads: int, seed: int) -> pl.DataFrame:
    """Make attributed events in the order of time: connections, and the look-ups, handshakes and requests to them.

    Workloads are busy unequally and by daylight. Each calls its own destinations by Zipf's law, and hosts outside are
    shared among them by Zipf's law too.
    """
    draw = np.random.default_rng(seed)
    calls, beacons = _calls(flows, workloads, draw), _beacons(flows, workloads, draw)
    who, what, second = (np.concatenate(parts) for parts in zip(calls, beacons, strict=True))
    connections = _connections(who, what, second, _hosts(workloads, draw), draw)
    events = pl.concat(_layers(connections, draw), how="diagonal").sort("ts")
    return events.with_columns(
        pl.Series("event_id", draw.integers(2**63, size=len(events)), pl.UInt64),
        pl.lit(None, pl.String).alias("healthcheck"),
    )


def _calls(flows: int, workloads: int, draw: np.random.Generator) -> tuple[Ints, Ints, NDArray[np.float64]]:
    count = flows - round(flows * BEACONS)
    daylight = 1.5 - np.cos(np.arange(24) / 24 * 2 * np.pi)
    hour = draw.choice(24, count, p=daylight / daylight.sum())
    who = (workloads * draw.beta(1, 2, count)).astype(np.int64)
    return who, (draw.zipf(1.3, count) - 1) % KNOWN, (hour + draw.random(count)) * 3600


def _beacons(flows: int, workloads: int, draw: np.random.Generator) -> tuple[Ints, Ints, NDArray[np.float64]]:
    period = draw.choice(PERIODS, round(flows * BEACONS / np.mean(SECONDS / np.array(PERIODS))))
    count = SECONDS // period
    turn = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    late = draw.uniform(0, 0.1, len(turn))
    who, what = draw.integers(workloads, size=len(period)), draw.integers(INSIDE, KNOWN, len(period))
    return np.repeat(who, count), np.repeat(what, count), (turn + late) * np.repeat(period, count)


def _hosts(workloads: int, draw: np.random.Generator) -> Ints:
    """Draw whom each workload knows, shape (workloads, `KNOWN`): workloads inside, then hosts outside."""
    inside = draw.integers(workloads, size=(workloads, INSIDE))
    return np.hstack([inside, (draw.zipf(1.2, (workloads, KNOWN - INSIDE)) - 1) % NAMES])


def _connections(
    who: Ints, what: Ints, second: NDArray[np.float64], hosts: Ints, draw: np.random.Generator
) -> pl.DataFrame:
    count, external = len(who), what >= INSIDE
    drawn = pl.DataFrame(
        {
            "moment": MIDNIGHT + (second * 1e6).astype(np.int64),
            "who": who,
            "host": hosts[who, what],
            "external": external,
            "conn_state": draw.choice(["SF", "S1", "S0", "REJ"], count, p=[0.93, 0.04, 0.02, 0.01]),
            "bytes_out": draw.lognormal(7, 2, count).astype(np.int64),
            "bytes_in": draw.lognormal(8, 2, count).astype(np.int64),
            "duration": draw.exponential(2, count),
            "uid": draw.integers(2**60, size=count),
        }
    )
    host = pl.col("host")
    outside = pl.when("external")
    service = pl.when(host % 4 < WEB).then(pl.lit("ssl")).otherwise(pl.lit("http"))
    named = drawn.select(
        pl.col("moment").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(TIME).alias("ts"),
        pl.lit("flow").alias("kind"),
        _workload("who").alias("workload"),
        _address("10.1", "who").alias("src_ip"),
        outside.then(_address("198.51", "host")).otherwise(_address("10.1", "host")).alias("dst_ip"),
        outside.then(None).otherwise(_workload("host")).alias("peer"),
        outside.then(pl.format("h{}.d{}.example", host, host // 4)).alias("name"),
        outside.then(service).otherwise(pl.lit("postgresql")).alias("service"),
        pl.lit("tcp").alias("proto"),
        pl.format("C{}", "uid").alias("uid"),
        "external", "conn_state", "bytes_out", "bytes_in", "duration",
    )  # fmt: skip
    return named.with_columns(pl.col("service").replace_strict(PORTS, return_dtype=pl.Int32).alias("dst_port"))


def _workload(number: str) -> pl.Expr:
    return pl.format("docker:stack{}/service{}", pl.col(number) // 10, number)


def _address(prefix: str, number: str) -> pl.Expr:
    return pl.format(prefix + ".{}.{}", pl.col(number) // 256, pl.col(number) % 256)


def _layers(connections: pl.DataFrame, draw: np.random.Generator) -> list[pl.DataFrame]:
    """Say in DNS, TLS and HTTP what the connections to hosts outside were for."""
    who = ("ts", "workload", "src_ip", "uid")
    named = connections.filter("external")
    asked = named.filter(pl.Series(draw.random(len(named)) < ASKED))
    look_ups = asked.select(
        pl.col("ts") - pl.duration(milliseconds=20), "workload", "src_ip",
        pl.lit("dns").alias("kind"), pl.lit("10.0.0.2").alias("dst_ip"), pl.col("name").alias("query"),
        pl.lit("A").alias("qtype"), pl.lit("NOERROR").alias("rcode"), pl.concat_list("dst_ip").alias("answers"),
    )  # fmt: skip
    spoken = pl.col("conn_state") == "SF"
    tls = named.filter(spoken & (pl.col("service") == "ssl")).select(
        *who, "dst_ip", "external", pl.lit("tls").alias("kind"), pl.col("name").alias("server_name"),
        pl.lit(value=True).alias("established"), pl.lit("t13d1516h2_8daaf6152771_b186095e22b6").alias("ja4"),
    )  # fmt: skip
    http = named.filter(spoken & (pl.col("service") == "http")).select(
        *who, "dst_ip", "external", pl.lit("http").alias("kind"), pl.col("name").alias("server_name"),
        pl.lit("GET").alias("method"), pl.lit("python-requests/2.32.3").alias("user_agent"),
        pl.format("/v1/items/{}", pl.col("uid").hash() % 100_000).alias("uri"),
    )  # fmt: skip
    return [connections.drop("name"), look_ups, tls, http]
