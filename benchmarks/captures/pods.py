"""Flows between Kubernetes pods: one benign hour, and ten attacks captured apart from it.

An attack lasts half a minute to nine minutes, so time is stretched tenfold: what the product takes for a window of ten
minutes is one minute of the capture. Forty minutes of the benign hour are learnt and twenty are judged; each attack is
moved to where those twenty begin, so that no hour of the day gives it away. The campus network that the nodes and
resolvers lie in is declared internal, as an operator would.
"""

import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.captures.audit import raw
from benchmarks.captures.network import OURS
from benchmarks.captures.place import LABELLED
from benchmarks.captures.rivals import Floats, outlier_models
from features.addresses import internal_networks
from features.extraction import extract_days
from features.ingest import events_from_records
from features.lake import Lake
from features.windows import KEY, WINDOW, Windows, floor_window, merge_windows
from models.training import train

FOLDER = LABELLED / "k8s-flows-sever"
SCENARIOS = {
    1: "CVE-2020-13379 Grafana SSRF", 2: "Node-RED reconnaissance", 3: "Node-RED reverse shell",
    4: "Node-RED container escape", 5: "CVE-2021-43798 Grafana path traversal", 6: "CVE-2019-20933 InfluxDB",
    7: "CVE-2021-30465 runc", 8: "CVE-2021-25741 subpath", 9: "CVE-2022-23648 containerd", 10: "CVE-2019-5736 runc",
}  # fmt: skip
PROTOCOLS = {"6": "tcp", "17": "udp"}
NETWORKS = internal_networks(("144.122.0.0/16",))
STRETCH = 10
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
LEARNT = timedelta(minutes=40) * STRETCH
HOUR = timedelta(hours=1) * STRETCH


@dataclass(frozen=True)
class Judged:
    """Scores of windows by who gave them, with their keys."""

    keys: pl.DataFrame
    scores: dict[str, Floats]


def by_minute(judged: Judged) -> dict[str, Floats]:
    """Give the strongest workload of each window: the cluster as one."""
    return {
        name: judged.keys.with_columns(pl.Series("score", scores))
        .group_by("window_start", maintain_order=True)
        .agg(pl.col("score").max())["score"]
        .to_numpy()
        for name, scores in judged.scores.items()
    }


def read(folder: Path, begins: datetime) -> pl.DataFrame:
    """Read the flows of one capture (or rows of CICFlowMeter) with its first one at `begins`, time stretched."""
    rows = (
        [row for path in sorted(folder.glob("*.csv")) for row in _rows(path)] if folder.is_dir() else [*_rows(folder)]
    )
    return flows(rows, begins)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def flows(rows: Iterable[dict[str, str]], begins: datetime) -> pl.DataFrame:
    """Turn rows of CICFlowMeter into events through the product's reader for Zeek's conn.log."""
    rows = list(rows)
    moments = [datetime.fromisoformat(row["Timestamp"]).replace(tzinfo=UTC) for row in rows]
    first = min(moments)
    records = [
        {
            "_path": "conn",
            "ts": (begins + (moment - first) * STRETCH).timestamp(),
            "uid": f"{number} {row['Flow ID']}",
            "id.orig_h": row["Src IP"], "id.orig_p": int(row["Src Port"]),
            "id.resp_h": row["Dst IP"], "id.resp_p": int(row["Dst Port"]),
            "proto": PROTOCOLS.get(row["Protocol"], "ip"),
            "duration": float(row["Flow Duration"]) / 1e6,
            "orig_bytes": int(float(row["Total Length of Fwd Packet"])),
            "resp_bytes": int(float(row["Total Length of Bwd Packet"])),
            "conn_state": _state(row),
        }
        for number, (row, moment) in enumerate(zip(rows, moments, strict=True))
    ]  # fmt: skip
    batch = events_from_records(records, source="zeek", ref="cicflowmeter")
    if batch.rejects:
        raise ValueError(batch.rejects[0].reason)
    return batch.events


def _state(row: dict[str, str]) -> str:
    """Say in Zeek's words how a connection went: never answered, refused, or made."""
    if row["Protocol"] != "6" or row["SYN Flag Count"] == "0":
        return "OTH"
    if row["Total Bwd packets"] == "0":
        return "S0"
    empty = float(row["Total Length of Fwd Packet"]) == float(row["Total Length of Bwd Packet"]) == 0
    return "REJ" if empty and row["Bwd RST Flags"] != "0" else "SF"


def attack_paths() -> dict[int, Path]:
    """Find the capture of each scenario by the label in its first row."""
    return {int(next(_rows(path))["Label"]): path for path in sorted((FOLDER / "malicious").glob("*.csv"))}


def measure() -> tuple[Judged, dict[int, Judged]]:
    """Learn the first part of the benign hour; judge its rest, and each attack."""
    benign = read(FOLDER / "benign", START)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        lake.append(benign)
        detector, _ = train(lake, until=START + LEARNT, networks=NETWORKS)
    seen = _windows(benign)
    learnt = raw(seen.between(None, START + LEARNT))

    def judge(windows: Windows) -> Judged:
        given = detector.score(windows)
        scores = {OURS: np.array([score.bits for score in given])}
        for name, model in outlier_models().items():
            scores[name] = model(learnt, raw(windows))
        return Judged(windows.values.select(KEY), scores)

    attacks = {label: judge(_windows(read(path, START + LEARNT))) for label, path in sorted(attack_paths().items())}
    return judge(seen.between(START + LEARNT, START + HOUR)), attacks


def _windows(events: pl.DataFrame) -> Windows:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        lake.append(events)
        since, until = floor_window(events["ts"].min()), floor_window(events["ts"].max()) + WINDOW  # type: ignore[arg-type]
        return merge_windows(list(extract_days(lake, since, until, networks=NETWORKS)))
