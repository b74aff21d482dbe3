"""Extract the features of a dense day of traffic, beside a scan of its file and what peers compute of it.

    python -m benchmarks.extraction [--flows 2000000] [--workloads 2000] [--only NAME ...]

CPU seconds, reading included, and peak memory of each, every one on one thread in a process of its own, in turn; the
median of some rounds. The scan touches every column. The classic task (`benchmarks/extraction/classic.py`) is part of
what ours does: it has no names from DNS and TLS, no impersonation, nothing of the trailing day, no calls judged against
chance, and its items are counts and not named. DuckDB and pandas run where they are installed.
The bar: all features at a quarter of the scan's speed.
"""

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import polars.selectors as cs
from rich.console import Console
from rich.table import Table

from benchmarks.extraction import classic
from benchmarks.extraction.dense_day import day
from features import extract
from features.answers import Answers
from features.events import with_missing
from features.flows import name_destinations
from features.protocols import extractors

SCAN = "scan, every column"


def scan(path: Path) -> None:
    touched = (
        cs.string().str.len_bytes().sum(), cs.numeric().sum(), cs.boolean().sum(), cs.temporal().max(),
        pl.col("answers").list.len().sum(),
    )  # fmt: skip
    pl.scan_parquet(path).select(*touched).collect(engine="streaming")


def all_features(path: Path) -> None:
    extract(pl.read_parquet(path))


def network_family(path: Path) -> None:
    events = with_missing(pl.read_parquet(path))
    extractors()["network"].extract(name_destinations(events, Answers.of(events)))


CONTESTANTS: Mapping[str, Callable[[Path], None]] = {
    SCAN: scan,
    "all features": all_features,
    "family network alone": network_family,
    "classic, polars": classic.in_polars,
    "classic, duckdb": classic.in_duckdb,
    "classic, pandas": classic.in_pandas,
}


def cpu() -> float:
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def peak_megabytes() -> float:
    """Read the kernel's own mark: that of `getrusage` is inherited from the process that made the day."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def measure(name: str, path: Path) -> tuple[float, float]:
    """Give the CPU seconds of a contestant, and the peak resident megabytes of the process it had to itself."""
    command = [sys.executable, "-m", "benchmarks.extraction", "--alone", name, str(path)]
    environment = os.environ | {"POLARS_MAX_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flows", type=int, default=2_000_000)
    parser.add_argument("--workloads", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        name, path = given.alone
        before = cpu()
        CONTESTANTS[name](Path(path))
        print(json.dumps([cpu() - before, peak_megabytes()]))
    else:
        show(given)


def show(given: argparse.Namespace) -> None:
    absent = {f"classic, {peer}" for peer in ("duckdb", "pandas") if importlib.util.find_spec(peer) is None}
    there = [name for name in given.only if name not in absent]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.parquet"
        events = day(given.flows, given.workloads, seed=1)
        events.write_parquet(path)
        rounds = [{name: measure(name, path) for name in there} for _ in range(given.rounds)]
    seconds = {name: statistics.median(one[name][0] for one in rounds) for name in there}
    table = Table(
        title=f"{events.height:,} events of a day, {given.flows:,} of them flows, {given.workloads:,} workloads"
    )
    for column in ("contestant", "CPU seconds", "million events a second", "of the scan", "peak MB"):
        table.add_column(column, justify="left" if column == "contestant" else "right")
    for name, spent in seconds.items():
        share = f"{seconds[SCAN] / spent:.1%}" if SCAN in seconds else ""
        peak = max(one[name][1] for one in rounds)
        table.add_row(name, f"{spent:.2f}", f"{events.height / spent / 1e6:.2f}", share, f"{peak:,.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
