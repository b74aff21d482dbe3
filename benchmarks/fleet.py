"""Make the lake of a large fleet: as many events, workloads and days as are asked for, in flat memory.

Every workload has a container that Docker made and inspected, with an address of its own, a few services that it calls,
sites outside that it looks up, greets by TLS and asks by HTTP, and days with more and less to do. One in fifty calls
home at even intervals, a few deploy anew every day. Used by studies of scale; `service.emulation` makes estates that
detection is measured on.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from features.events import TIME, conform
from features.lake import Lake

START = datetime(2026, 9, 7, tzinfo=UTC)
CHUNK = 50_000  # events made at a time, as many as ingest adds at a time
SPREAD = 0x9E3779B97F4A7C15
EVENTS_OF_ONE = 1.7  # connection: itself, what was said on it, and its look-up
INSIDE, LOOKED_UP, STRAY = 0.6, 0.75, 0.001  # shares of connections; the last go to a site of somebody else
HTTP, RESOLVER = 80, "10.0.0.2"
PROJECT = 20  # workloads of one
PEERS, SITES = 6, 8  # that a workload talks to
WORLD = 4000  # sites outside
ROLLOUTS = 0.05  # share of workloads whose container is replaced within a day
BEACONS = 50  # one workload of so many
_SECOND = 1_000_000
BEAT = 300 * _SECOND
_DAY = 86_400 * _SECOND
_SETTINGS = [
    "User=10001", "CapDrop=ALL", "ReadonlyRootfs=true", "RestartPolicy=unless-stopped", "NetworkMode=shop",
    "Memory=536870912", "SecurityOpt=no-new-privileges", "EnvKey=PATH", "EnvKey=LANG", "Cmd=/srv/run --serve",
]  # fmt: skip


def text(start: str, *parts: str | pl.Expr) -> pl.Expr:
    return pl.concat_str([pl.lit(start), *(pl.lit(p) if isinstance(p, str) else p.cast(pl.String) for p in parts)])


def name(number: str) -> pl.Expr:
    return text("docker:p", pl.col(number) // PROJECT, "/s", pl.col(number) % PROJECT)


def address(number: str) -> pl.Expr:
    inside = pl.col(number)
    return text("10.", inside // 60_000 + 1, ".", inside // 240 % 250, ".", inside % 240 + 1)


def container(number: str, generation: str) -> pl.Expr:
    return text("c", pl.col(number).cast(pl.String).str.zfill(7), "g", pl.col(generation)).str.pad_end(64, "0")


class Fleet:
    """A fleet whose workloads keep their habits; the same arguments give the same events."""

    def __init__(self, workloads: int, events: int, days: int, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._workloads, self._events, self._days = workloads, events, days
        share = self._random.lognormal(0.0, 0.8, workloads)
        self._share = share / share.sum()
        self._peers = self._random.integers(0, workloads, (workloads, PEERS))
        self._sites = self._random.zipf(1.3, (workloads, SITES)) % WORLD
        self._generation = np.zeros(workloads, dtype=np.int64)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Give the events in time order, but for those of containers, which come first each day."""
        ids = 0
        for day in range(self._days):
            for events in self._day(day):
                # a product with an odd number tells all numbers apart, and looks like the hashes that ids are
                number = pl.int_range(ids + 1, ids + 1 + pl.len(), dtype=pl.UInt64)
                yield conform(events.with_columns((number * pl.lit(SPREAD, pl.UInt64)).alias("event_id")))
                ids += events.height

    def _day(self, day: int) -> Iterator[pl.DataFrame]:
        yield self._containers(day)
        chunks = max(self._events // self._days // CHUNK, 1)
        size = self._events // self._days // chunks
        busy = 1.0 + 0.6 * np.sin(2 * np.pi * (np.arange(chunks) / chunks - 0.3))
        edges = day * _DAY + np.concatenate([[0.0], np.cumsum(1 / busy) / (1 / busy).sum()]) * _DAY
        for since, until in pairwise(edges):
            yield self._traffic(size, int(since), int(until))

    def _containers(self, day: int) -> pl.DataFrame:
        """Make every container on the first day, and some anew on later ones, each with its snapshot."""
        fresh = np.flatnonzero(self._random.random(self._workloads) < (ROLLOUTS if day else 1.0))
        self._generation[fresh] += 1 if day else 0
        moments = day * _DAY + (
            np.sort(self._random.integers(0, _DAY // 2, len(fresh))) if day else np.arange(len(fresh))
        )
        made = pl.DataFrame({"number": fresh, "generation": self._generation[fresh], "us": moments})
        ended = made.with_columns(pl.col("generation") - 1, pl.col("us") - 5 * _SECOND)
        steps = [(made, "create", 0), (made, "start", 1), (made, "inspect", 2)] + ([(ended, "die", 0)] if day else [])
        image = text("p", pl.col("number") // PROJECT, "/s", pl.col("number") % PROJECT)
        rows = [
            frame.select(
                _moment(pl.col("us") + later * _SECOND),
                pl.lit("config" if action == "inspect" else "lifecycle").alias("kind"),
                pl.lit(action).alias("action"),
                text("n", pl.col("number") % 40).alias("host"),
                container("number", "generation").alias("container_id"),
                name("number").alias("workload"),
                pl.lit("registry.example").alias("image_registry"),
                image.alias("image_repository"),
                text("1.", pl.col("generation")).alias("image_tag"),
                *([
                    pl.concat_list(*map(pl.lit, _SETTINGS), text("Label=", pl.col("number") % 7)).alias("config"),
                    pl.concat_list(address("number")).alias("addresses"),
                ] if action == "inspect" else []),
            )
            for frame, action, later in steps
        ]  # fmt: skip
        return pl.concat(rows, how="diagonal").sort("ts")

    def _traffic(self, size: int, since: int, until: int) -> pl.DataFrame:
        """Make connections, what was said on those to the outside, and most of the look-ups before them."""
        connections = self._connections(round(size / EVENTS_OF_ONE), since, until)
        outside = connections.filter(~pl.col("inside"))
        asked = outside.filter(pl.col("chance") < LOOKED_UP).with_columns(pl.col("us") - 20_000)
        host = text("api", pl.col("site") % 3, ".site", pl.col("site"), ".example")
        plain = pl.col("dst_port") == HTTP
        flows = connections.select(
            *_ENDS, "dst_ip", "dst_port", "bytes_out", "bytes_in", "duration",
            pl.lit("flow").alias("kind"), pl.lit("tcp").alias("proto"), text("C", pl.col("uid")).alias("uid"),
            pl.when("failed").then(pl.lit("S0")).otherwise(pl.lit("SF")).alias("conn_state"),
            pl.when(~pl.col("inside")).then(pl.when(plain).then(pl.lit("http")).otherwise(pl.lit("ssl"))).alias("service"),
        )  # fmt: skip
        tls = outside.filter(~plain).select(
            *_ENDS, "dst_ip", "dst_port", pl.lit("tls").alias("kind"), text("C", pl.col("uid")).alias("uid"),
            host.alias("server_name"), (~pl.col("failed")).alias("established"),
            text("fingerprint", pl.col("who") % 11).alias("ja3"),
        )  # fmt: skip
        http = outside.filter(plain).select(
            *_ENDS, "dst_ip", "dst_port", pl.lit("http").alias("kind"), text("C", pl.col("uid")).alias("uid"),
            host.alias("server_name"), pl.lit("GET").alias("method"),
            text("/v1/items/", pl.col("uid") % 1000).alias("uri"),
            text("client/", pl.col("who") % 5).alias("user_agent"),
        )  # fmt: skip
        dns = asked.select(
            *_ENDS, pl.lit(RESOLVER).alias("dst_ip"), pl.lit(53, pl.Int64).alias("dst_port"),
            pl.lit("dns").alias("kind"), pl.lit("udp").alias("proto"), text("D", pl.col("uid")).alias("uid"),
            host.alias("query"), pl.lit("A").alias("qtype"),
            pl.lit("NOERROR").alias("rcode"), pl.concat_list("dst_ip").alias("answers"),
        )  # fmt: skip
        return pl.concat([flows, tls, http, dns], how="diagonal").with_columns(source=pl.lit("zeek")).sort("ts", "uid")

    def _connections(self, size: int, since: int, until: int) -> pl.DataFrame:
        chance = self._random
        who = chance.choice(self._workloads, size, p=self._share)
        beacon = (who % BEACONS == 0) & (chance.random(size) < 0.3)
        inside = (chance.random(size) < INSIDE) & ~beacon
        moments = chance.integers(since, until, size)
        even = moments // BEAT * BEAT + who % 300 * _SECOND
        site = self._sites[who, np.where(beacon, 0, chance.integers(0, SITES, size))]
        sent = chance.lognormal(6.5, 1.0, size).astype(np.int64)
        connections = pl.DataFrame(
            {
                "us": np.where(beacon, even, moments),
                "who": who,
                "peer": self._peers[who, chance.integers(0, PEERS, size)],
                "site": np.where(chance.random(size) < STRAY, chance.integers(0, WORLD, size), site),
                "inside": inside,
                "bytes_out": sent,
                "bytes_in": (sent * chance.lognormal(1.2, 0.8, size)).astype(np.int64),
                "duration": chance.exponential(0.4, size),
                "failed": chance.random(size) < 0.01,
                "chance": chance.random(size),
                "uid": chance.integers(1 << 40, 1 << 50, size),
            }
        )
        place = text("203.0.", 113 + pl.col("site") // 250, ".", pl.col("site") % 250 + 1)
        port = pl.when(pl.col("site") % 5 < 2).then(HTTP).otherwise(443)
        return connections.with_columns(
            pl.when("inside").then(address("peer")).otherwise(place).alias("dst_ip"),
            pl.when("inside").then(8000 + pl.col("peer") % 5).otherwise(port).alias("dst_port"),
        )


def _moment(us: pl.Expr) -> pl.Expr:
    return (us + int(START.timestamp()) * _SECOND).cast(TIME).alias("ts")


_ENDS = (_moment(pl.col("us")), address("who").alias("src_ip"))


def make(folder: Path, *, events: int, workloads: int, days: int, seed: int = 7) -> Lake:
    """Make the lake of a fleet, about `events` of traffic in all."""
    lake = Lake(folder)
    for batch in Fleet(workloads, events, days, seed).batches():
        lake.append(batch)
    return lake


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="where the lake is to lie; none is kept without")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--workloads", type=int, default=1000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as unnamed:
        folder = given.folder or Path(unnamed)
        make(folder, events=given.events, workloads=given.workloads, days=given.days, seed=given.seed)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{used.ru_utime + used.ru_stime:.1f} s CPU, peak {used.ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
