"""Read telemetry of many rows into events and into a lake, beside peers that do less with the same file, on one core.

Prints rows a second of CPU time and peak memory of each, every one in a process of its own. A Zeek conn log comes as
NDJSON (our way, our way with each record alone, polars' own reader, `json.loads` on every line,
and DuckDB and pandas where they are installed), as Zeek's tab-separated form, and as Parquet; Docker events come as
NDJSON. "to Parquet" is a peer's way to files by day: without ids, repeats, rejects or an order, and nothing synced.
The bar: 0.8 million rows a second and core from NDJSON to a lake, more from the other two, and as much memory at ten
times the rows.
"""

import argparse
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from features.ingest import read_events

OPTIONAL = {"duckdb", "pandas"}
BAR = 0.8  # million rows a second
EVENTS = "for batch in read_events([path]): pass"
LAKE = "lake = Lake(path.parent / 'lake')\nfor batch in read_events([path]): lake.append(batch.events)"
POLARS_TO_PARQUET = """
day = polars.from_epoch((polars.col("ts") * 1_000_000).cast(int), "us").dt.date().alias("date")
target = polars.PartitionBy(path.parent / "peer", key=day)
polars.scan_ndjson(path).sink_parquet(target, compression_level=2, mkdir=True)
"""
DUCKDB = "import duckdb; duckdb.sql('set threads=1; set enable_progress_bar=false')\n"
DUCKDB_TO_PARQUET = """
rows = f"select *, to_timestamp(ts)::date as date from read_json('{path}')"
options = "format parquet, compression zstd, partition_by (date)"
duckdb.sql(f"copy ({rows}) to '{path.parent / 'peer'}' ({options})")
"""
READERS = {
    "conn.log": {
        "events": EVENTS,
        "lake": LAKE,
        "one by one": "Runs.find = lambda *_: None\n" + EVENTS,
        "polars": "polars.read_ndjson(path)",
        "json.loads": "for line in path.open('rb'): json.loads(line)",
        "duckdb": DUCKDB + "duckdb.sql(f\"create table t as from read_json('{path}')\")",
        "polars to Parquet": POLARS_TO_PARQUET,
        "duckdb to Parquet": DUCKDB + DUCKDB_TO_PARQUET,
        "pandas": "import pandas; pandas.read_json(path, lines=True)",
    },
    "conn.tsv": {
        "events": EVENTS,
        "lake": LAKE,
        "polars": "polars.read_csv(path, separator='\\t', comment_prefix='#', has_header=False)",
    },
    "conn.parquet": {"events": EVENTS, "lake": LAKE, "polars": "polars.read_parquet(path)"},
    "events.parquet": {"events": EVENTS, "lake": LAKE, "polars": "polars.read_parquet(path)"},
    "docker.log": {"events": EVENTS, "lake": LAKE, "polars": "polars.read_ndjson(path)"},
}
PROGRAM = """
import json, resource, sys
from pathlib import Path
import polars
from features.ingest import read_events
from features.lake import Lake
from features.runs import Runs
path = Path(sys.argv[1])
def cpu():
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
began = cpu()
exec(sys.argv[2])
seconds = cpu() - began
# not `ru_maxrss`, which a process has from the one that started it
(peak,) = (int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, peak / 1024]))
"""


def connections(rows: int) -> Iterator[dict[str, object]]:
    """Give connections of 40 clients to 2,000 servers, in the order of time."""
    draw = random.Random(rows)
    for row in range(rows):
        yield {
            "ts": round(1_757_800_000 + row * 0.02, 6),
            "uid": f"C{draw.getrandbits(60):016x}",
            "id.orig_h": f"10.0.0.{draw.randrange(1, 41)}",
            "id.orig_p": draw.randrange(30_000, 60_000),
            "id.resp_h": f"203.0.{draw.randrange(8)}.{draw.randrange(250)}",
            "id.resp_p": draw.choice([53, 80, 443]),
            "proto": "tcp",
            "service": "ssl",
            "duration": round(draw.expovariate(1), 6),
            "orig_bytes": draw.randrange(100_000),
            "resp_bytes": draw.randrange(1_000_000),
            "conn_state": "SF",
            "local_orig": True,
            "local_resp": False,
            "missed_bytes": 0,
            "history": "ShADadFf",
            "orig_pkts": 12,
            "orig_ip_bytes": 900,
            "resp_pkts": 10,
            "resp_ip_bytes": 8000,
        }


def docker_events(rows: int) -> Iterator[dict[str, object]]:
    """Give events of the containers of 50 services, health checks among them."""
    draw = random.Random(rows)
    for row in range(rows):
        service, action = draw.randrange(50), draw.choice(["create", "start", "die", "exec_start: /bin/sh -c check"])
        container, image = f"{draw.randrange(4000):064x}", f"registry.example/shop/api{service}:1.2"
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": f"api{service}"}
        attributes = {"image": image, "name": f"shop-api{service}-1", "maintainer": "shop", **labels}
        yield {
            "status": action,
            "id": container,
            "from": image,
            "Type": "container",
            "Action": action,
            "Actor": {"ID": container, "Attributes": attributes},
            "scope": "local",
            "time": 1_757_800_000 + row,
            "timeNano": (1_757_800_000 + row) * 10**9,
        }


def write(path: Path, rows: int) -> None:
    """Write a file of `READERS`, which its name tells."""
    if path.suffix == ".parquet":
        logs = path.with_name("conn.log")
        if path.stem == "conn":
            pl.scan_ndjson(logs).sink_parquet(path, row_group_size=100_000)
        else:
            pl.concat(batch.events for batch in read_events([logs])).write_parquet(path, row_group_size=100_000)
        return
    with path.open("w") as file:
        if path.suffix == ".tsv":
            kinds = {str: "string", float: "double", int: "count", bool: "bool"}
            first = next(connections(1))
            file.write("#path\tconn\n" + "\t".join(["#fields", *first]) + "\n")
            file.write("\t".join(["#types", *(kinds[type(value)] for value in first.values())]) + "\n")
            for record in connections(rows):
                file.write("\t".join("FT"[v] if isinstance(v, bool) else str(v) for v in record.values()) + "\n")
            return
        for record in docker_events(rows) if path.stem == "docker" else connections(rows):
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def measure(path: Path, code: str) -> tuple[float, float]:
    """Give the CPU seconds of reading a file, and the peak resident megabytes of the process that did."""
    command = [sys.executable, "-c", PROGRAM, str(path), code]
    done = subprocess.run(
        command, check=True, capture_output=True, env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": "."}
    )
    for made in ("lake", "peer"):
        shutil.rmtree(path.parent / made, ignore_errors=True)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--files", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--only", nargs="+", choices=READERS["conn.log"], default=list(READERS["conn.log"]))
    given = parser.parse_args()
    table = Table(title="Telemetry to events, one core")
    for column in ("rows", "file", "reader", "million rows a CPU second", "of the bar", "of polars", "peak MB"):
        table.add_column(column, justify="left" if column in {"file", "reader"} else "right")
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            for name in dict.fromkeys(["conn.log", *given.files]):
                write(Path(folder) / name, rows)
            for name in given.files:
                there = [n for n in given.only if n in READERS[name]]
                there = [n for n in there if n.split()[0] not in OPTIONAL or importlib.util.find_spec(n.split()[0])]
                measured = {reader: measure(Path(folder) / name, READERS[name][reader]) for reader in there}
                for reader, (seconds, peak) in measured.items():
                    speed = rows / seconds / 1e6
                    share = f"{measured['polars'][0] / seconds:.2f}" if "polars" in measured else ""
                    table.add_row(f"{rows:,}", name, reader, f"{speed:.3f}", f"{speed / BAR:.2f}", share, f"{peak:.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
