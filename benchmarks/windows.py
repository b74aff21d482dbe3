"""Extract the windows of fleets of several sizes, and say what a worker holds in memory while it does.

Prints CPU time, events a second of one core, the peak memory of the process that plans and of the largest worker, and
the CPU beside a peer measured in the same run: polars reading every column of the same lake and nothing else. The
bars: a worker stays below 256 MB whatever the size of the day, and the CPU below four times the peer's.

Then the first fleet is extracted by one worker and by more: wall time, and whether the windows are the same bytes.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

BAR_MB, BAR_TIMES = 256, 4.0


def used(whose: int) -> tuple[float, float]:
    """Give CPU seconds and peak resident megabytes of this process, or of the largest of those that it awaited."""
    usage = resource.getrusage(whose)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def extract(home: Path, jobs: int) -> dict[str, float]:
    """Make the windows of a home's lake in processes; give the CPU of all and the memory of the largest."""
    from joblib.externals.loky import get_reusable_executor  # noqa: PLC0415 -- in the process that is measured

    from service.jobs.windows import extract_windows  # noqa: PLC0415
    from service.settings import Settings  # noqa: PLC0415
    from service.wiring import open_home  # noqa: PLC0415

    opened = open_home(Settings.load(home, {"WHARFINGER_JOBS": str(jobs)}))
    began = time.perf_counter()
    store = extract_windows(opened)
    wall = time.perf_counter() - began
    tasks = sum((store.manifest(day) or {})["buckets"] for day in store.days())
    get_reusable_executor().shutdown(wait=True)
    (own, planner), (others, worker) = used(resource.RUSAGE_SELF), used(resource.RUSAGE_CHILDREN)
    return {"cpu": own + others, "planner": planner, "worker": worker, "tasks": tasks, "wall": wall}


def scan(home: Path) -> dict[str, float]:
    """Read every column of a home's lake; give the CPU and the number of events."""
    before, rows = used(resource.RUSAGE_SELF)[0], 0
    for path in sorted((home / "lake").rglob("*.parquet")):
        rows += pl.read_parquet(path).height
    return {"cpu": used(resource.RUSAGE_SELF)[0] - before, "rows": rows}


def fresh(step: str, home: Path, jobs: int = 0) -> dict[str, float]:
    """Measure a step in a process of its own."""
    environment = os.environ | {"POLARS_MAX_THREADS": "1"}
    command = [sys.executable, __file__, "--step", step, "--home", str(home), "--jobs", str(jobs)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def digest(home: Path) -> str:
    """Give a hash of all windows of a home, file by file."""
    found, root = hashlib.sha256(), home / "windows"
    for path in sorted(root.glob("date=*/**/*.parquet")):
        found.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return found.hexdigest()


def scaling(home: Path, counts: list[int]) -> Table:
    """Extract the windows of a home by so many workers each; give wall times beside the first, and the bytes."""
    table = Table(title="workers")
    for column in ("workers", "wall s", "CPU s", "times faster", "bytes"):
        table.add_column(column, justify="right")
    first: tuple[float, str] | None = None
    for jobs in counts:
        shutil.rmtree(home / "windows", ignore_errors=True)
        found, made = fresh("extract", home, jobs), digest(home)
        first = first or (found["wall"], made)
        same = "the same" if made == first[1] else "OTHERS"
        faster = first[0] / found["wall"]
        table.add_row(str(jobs), f"{found['wall']:.1f}", f"{found['cpu']:.1f}", f"{faster:.2f}", same)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="*", default=[200_000, 1_000_000])
    parser.add_argument("--workloads", type=int, default=1000)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2], help="how many workers to compare")
    parser.add_argument("--home", type=Path, help="measure the lake of this home and make none")
    parser.add_argument("--step", choices=("extract", "scan"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(extract(given.home, given.jobs[0]) if given.step == "extract" else scan(given.home)))
        return
    table = Table(title=f"windows of a fleet: {given.workloads} workloads, {given.days} days")
    for column in ("events", "tasks", "CPU s", "events/s", "peer, CPU s", "times", "planner MB", "worker MB"):
        table.add_column(column, justify="right")
    met, workers = True, None
    for events in given.events:
        with tempfile.TemporaryDirectory() as folder:
            home = given.home or Path(folder)
            if not given.home:
                size = ["--events", str(events), "--workloads", str(given.workloads), "--days", str(given.days)]
                fleet = [sys.executable, str(Path(__file__).with_name("fleet.py")), str(home / "lake"), *size]
                subprocess.run(fleet, check=True, stdout=subprocess.DEVNULL)
            floor, found = fresh("scan", home), fresh("extract", home)
            if workers is None and given.jobs:
                workers = scaling(home, given.jobs)
        times = found["cpu"] / floor["cpu"]
        met &= found["worker"] <= BAR_MB and times <= BAR_TIMES
        speed = floor["rows"] / found["cpu"]
        shown = (
            floor["rows"],
            found["tasks"],
            found["cpu"],
            speed,
            floor["cpu"],
            times,
            found["planner"],
            found["worker"],
        )
        table.add_row(*(f"{number:,.1f}" if number < 1000 else f"{number:,.0f}" for number in shown))
    console = Console(width=120)
    console.print(table)
    if workers is not None:
        console.print(workers)
    console.print(f"bars, {BAR_MB} MB a worker and {BAR_TIMES:g} times the peer: {'met' if met else 'NOT met'}")


if __name__ == "__main__":
    main()
