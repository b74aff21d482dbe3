"""Features of a few events at once, and of a stream of them, against the batch path on the same events in the same run.

Both start from attributed events in a frame and end in `Windows`; that they are equal is checked. *New* is the online
path where no setting, command or request was met before, *known* where all were. Then a day of the estate comes as a
stream, a hundred events at a time, each window closed once it is over: CPU time of an event, and the memory that a
workload's state takes, by `tracemalloc` in a pass of its own.

Run `python benchmarks/online.py`, about a minute.
"""

import argparse
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from features.extraction import closed_until, read_leases
from features.leases import attribute
from features.online import judged
from features.online.windows import OnlineWindows, extract_few
from features.windows import Windows, extract, floor_window
from service.emulation.estate.__main__ import arguments, run
from service.jobs.progress import silent
from service.jobs.validate import ingested

COUNTS = (1, 20, 100, 500, 1_000, 2_000, 5_000)
DAY = timedelta(days=1)
CHUNK = 100


def cpu(action: Callable[[], object], before: Callable[[], object] = lambda: None, *, rounds: int) -> float:
    """Give the median CPU time of an action in milliseconds, after one round that does not count."""
    taken = []
    for _ in range(rounds + 1):
        before()
        began = time.process_time()
        action()
        taken.append((time.process_time() - began) * 1000)
    return statistics.median(taken[1:])


def same(one: Windows, other: Windows) -> bool:
    values = other.values.select(one.values.columns)
    return one.values.equals(values) and one.items.equals(other.items) and one.facts.equals(other.facts)


def stream(events: pl.DataFrame) -> OnlineWindows:
    """Feed events in their order, and close windows as time passes."""
    online, closed = OnlineWindows(), floor_window(events["ts"][0])
    for chunk in events.iter_slices(CHUNK):
        online.add(chunk.rows(named=True))
        if (now := floor_window(chunk["ts"][-1])) > closed:
            online.close(now)
            closed = now
    return online


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default="100")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(arguments(["--out", folder, "--workloads", given.workloads, "--flows", "350000"]))
        lake = ingested(Path(folder), silent)
        until = closed_until(lake)
        if until is None:
            raise SystemExit("the estate is empty")
        events = attribute(lake.read(until - DAY, until), read_leases(lake))
    table = Table(title="CPU ms, medians")
    for column in ("events", "batch", "online, new", "ratio", "online, known", "ratio", "equal"):
        table.add_column(column, justify="right")
    for count in COUNTS:
        some = events[len(events) // 2 :][:count]
        batch = cpu(lambda some=some: extract(some), rounds=given.rounds)
        new = cpu(lambda some=some: extract_few(some), judged.forget, rounds=given.rounds)
        known = cpu(lambda some=some: extract_few(some), rounds=given.rounds)
        equal = "yes" if same(extract(some), extract_few(some)) else "NO"
        ratios = f"{batch / new:.1f}", f"{known and batch / known:.1f}"
        table.add_row(f"{count:,}", f"{batch:.1f}", f"{new:.1f}", ratios[0], f"{known:.1f}", ratios[1], equal)
    console = Console()
    console.print(table)
    day = cpu(lambda: stream(events), rounds=1)
    tracemalloc.start()
    online = stream(events)
    held, peak = tracemalloc.get_traced_memory()
    workloads = events["workload"].n_unique()
    console.print(
        f"a day of {len(events):,} events of {workloads} workloads as a stream: {day / len(events):.3f} ms an event"
    )
    console.print(
        f"state at its end: {held / workloads / 1e3:.0f} kB a workload ({held / 1e6:.0f} MB, peak {peak / 1e6:.0f} MB)"
    )
    console.print(f"left out: {dict(online.dropped) or 'nothing'}")


if __name__ == "__main__":
    main()
