"""A day of requests of thirteen hosts, all benign: alerts that nobody should get, and beacons that are none.

The set holds http.log alone, and the product takes beacons and volumes from connections: one is rebuilt of the requests
that share a uid. The first half of the day is learnt, the second judged.
"""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from benchmarks.captures.evidence import unusual_bits
from benchmarks.captures.place import LABELLED, Edge
from benchmarks.captures.protocols import PROTOCOLS
from benchmarks.captures.zeek import Capture, edges
from features.beacons import strength
from features.extractors.network import BEACON
from features.ingest import events_from_records, read_events
from features.lake import Lake
from features.windows import WINDOW
from models.training import train
from models.training_report import count_runs

PATH = LABELLED / "benign-http" / "http.log.gz"


@dataclass(frozen=True)
class Day:
    """What a benign day costs."""

    hosts: int
    days: float
    thresholds: dict[str, float]
    alerts: dict[str, int]
    beacons: list[tuple[Edge, float, float]]  # edge, regularity, bits; strongest first


def load(path: Path = PATH) -> Capture:
    """Read the requests, and rebuild their connections."""
    requests = pl.concat([batch.events for batch in read_events([path])]).sort("ts", "event_id")
    connections = (
        requests.group_by("uid", maintain_order=True)
        .agg(
            pl.col("src_ip", "src_port", "dst_ip", "dst_port").first(),
            pl.col("ts").first(),
            (pl.col("ts").last() - pl.col("ts").first()).dt.total_microseconds().alias("lasted"),
            pl.col("bytes_out", "bytes_in").sum(),
        )
        .iter_rows(named=True)
    )
    records = [
        {
            "_path": "conn", "ts": row["ts"].timestamp(), "uid": row["uid"], "proto": "tcp", "service": "http",
            "id.orig_h": row["src_ip"], "id.orig_p": row["src_port"],
            "id.resp_h": row["dst_ip"], "id.resp_p": row["dst_port"],
            "duration": row["lasted"] / 1e6, "orig_bytes": row["bytes_out"], "resp_bytes": row["bytes_in"],
            "conn_state": "SF",
        }
        for row in connections
    ]  # fmt: skip
    rebuilt = events_from_records(records, source="zeek", ref="rebuilt").events
    return Capture("benign-http", pl.concat([requests, rebuilt]).sort("ts", "event_id"), frozenset())


def measure(capture: Capture) -> Day:
    """Learn the first half and judge the second."""
    (trial,) = PROTOCOLS["second half"].trials(capture)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        lake.append(trial.events)
        detector, _ = train(lake)
    windows = trial.judged.windows
    given = detector.score(windows)
    hosts = windows.values["workload"].n_unique()
    rate = detector.channels.alert_rate
    thresholds = {
        "one a day per 100 workloads": rate.threshold(hosts / 100),
        "one a day (severity high)": rate.threshold(1.0),
        "ten a day (severity medium)": rate.threshold(10.0),
    }
    bits = pl.Series([score.bits for score in given])
    alerts = {name: count_runs(windows.values.filter(bits >= threshold)) for name, threshold in thresholds.items()}
    own = unusual_bits(windows, trial.judged.flows, detector.normal, detector.channels.trust)
    steady = {edge: strength(moments, moments[-1:])[0] for edge, (moments, _) in edges(trial.judged.flows).items()}
    beacons = sorted(
        ((edge, float(value), own.get(edge, 0.0)) for edge, value in steady.items() if value >= BEACON),
        key=lambda beacon: -beacon[2],
    )
    days = windows.values["window_start"].n_unique() * (WINDOW / timedelta(days=1))
    return Day(hosts, days, thresholds, alerts, beacons)
