"""Read a Zeek conn log of many rows into a lake, beside peers that only read the same file, in one run on one core.

Prints rows a second of CPU time and peak memory of each, every one in a process of its own: our way, our way with each
record alone, polars' own reader, `json.loads` on every line, and DuckDB and pandas where they are installed.
The bar: 0.8 million rows a second and core, and as much memory at ten times the rows.
"""

import argparse
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

PEERS = {
    "events": "for batch in read_events([path]): pass",
    "lake": "lake = Lake(path.parent / 'lake')\nfor batch in read_events([path]): lake.append(batch.events)",
    "one by one": "Runs.find = lambda *_: None\nfor batch in read_events([path]): pass",
    "polars": "polars.read_ndjson(path)",
    "json.loads": "for line in path.open('rb'): json.loads(line)",
    "duckdb": "import duckdb; duckdb.sql(f\"set threads=1; create table t as from read_json('{path}')\")",
    "pandas": "import pandas; pandas.read_json(path, lines=True)",
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
print(json.dumps([cpu() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def write(path: Path, rows: int) -> None:
    """Write connections of 40 clients to 2,000 servers, in the order of time."""
    draw = random.Random(rows)
    with path.open("w") as file:
        for row in range(rows):
            record = {
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
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def measure(path: Path, code: str) -> tuple[float, float]:
    """Give the CPU seconds of reading a file, and the peak resident megabytes of the process that did."""
    command = [sys.executable, "-c", PROGRAM, str(path), code]
    done = subprocess.run(
        command, check=True, capture_output=True, env=os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONPATH": "."}
    )
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--only", nargs="+", choices=PEERS, default=list(PEERS))
    given = parser.parse_args()
    table = Table(title="Zeek conn log as NDJSON, one core")
    for column in ("rows", "reader", "million rows a CPU second", "of polars", "peak MB"):
        table.add_column(column, justify="left" if column == "reader" else "right")
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "conn.log"
            write(path, rows)
            there = [n for n in given.only if n not in {"duckdb", "pandas"} or importlib.util.find_spec(n)]
            measured = {name: measure(path, PEERS[name]) for name in there}
        for name, (seconds, peak) in measured.items():
            share = f"{measured['polars'][0] / seconds:.2f}" if "polars" in measured else ""
            table.add_row(f"{rows:,}", name, f"{rows / seconds / 1e6:.3f}", share, f"{peak:.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
