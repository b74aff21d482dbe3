"""Ingest, refresh and score an estate of 84 workloads and a million Zeek rows, each as the command a user runs.

Prints wall time, CPU time and peak memory of every step, and the CPU beside a peer that reads the same files in the
same run: the standard library's `json.loads` on every line, the least that any reader in plain Python does. The bar:
all steps together within three minutes on two cores, each within 1 GB.
"""

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from service.emulation.estate.__main__ import arguments, run

SPLIT = "2026-09-14T00:00:00Z"
BAR_SECONDS = 180
BAR_MB = 1000


def measure(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a command; give wall seconds, CPU seconds and peak resident megabytes of it and its children."""
    began = time.monotonic()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def floor(folder: Path) -> tuple[float, int]:
    """Give the CPU seconds of `json.loads` over every line of JSON, and the number of lines."""
    before, lines = resource.getrusage(resource.RUSAGE_SELF).ru_utime, 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.parent != folder:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
                for line in stream:
                    if line.startswith(b"{"):
                        json.loads(line)
                        lines += 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - before, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default="84")
    parser.add_argument("--flows", default="1000000")
    given = parser.parse_args()
    wharfinger = str(Path(sys.executable).with_name("wharfinger"))
    with tempfile.TemporaryDirectory() as folder:
        run(arguments(["--out", folder, "--workloads", given.workloads, "--flows", given.flows]))
        environment = os.environ | {"WHARFINGER_HOME": f"{folder}/home"}
        steps = {
            "ingest seven days": ["ingest", f"{folder}/learn"],
            "refresh": ["refresh", "--until", SPLIT],
            "ingest two days": ["ingest", f"{folder}/watch"],
            "score two days": ["score", "--since", SPLIT, "--format", "ndjson"],
        }
        peer, lines = floor(Path(folder))
        measured = {name: measure([wharfinger, *step], environment) for name, step in steps.items()}
    table = Table(title=f"{given.workloads} workloads, nine days, {given.flows} Zeek rows")
    for column in ("step", "wall s", "CPU s", "peak MB"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for name, (wall, cpu, peak) in measured.items():
        table.add_row(name, f"{wall:.1f}", f"{cpu:.1f}", f"{peak:.0f}")
    walls, cpus, peaks = (list(column) for column in zip(*measured.values(), strict=True))
    table.add_row("all", f"{sum(walls):.1f}", f"{sum(cpus):.1f}", f"{max(peaks):.0f}", style="bold")
    console = Console(width=100)
    console.print(table)
    ingest = measured["ingest seven days"][1] + measured["ingest two days"][1]
    console.print(
        f"peer, json.loads alone on {lines:,} lines: {peer:.1f} s CPU; ingest is {ingest / peer:.1f} times that"
    )
    met = "met" if sum(walls) <= BAR_SECONDS and max(peaks) <= BAR_MB else "NOT met"
    console.print(f"bar, {BAR_SECONDS} s and {BAR_MB} MB: {met}")


if __name__ == "__main__":
    main()
