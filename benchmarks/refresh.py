"""What a night costs that merges one day, beside one that learns all days anew.

Makes a fleet, refreshes up to the last day but one, then for the last day: once from what is remembered, and once with
nothing remembered. CPU seconds of each step, on one core. The bar: a day merged into what is remembered costs 25 times
less than thirty days recomputed. The model itself (forests, calibration) is fitted anew in either case.

`baselines alone` merges the statistics of one day into those of all days, beside learning them from kept windows.

Run `python benchmarks/refresh.py [--workloads 200] [--days 30] [--events 1000000]`.
"""

import argparse
import shutil
import tempfile
import time
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.fleet import START, make
from features.baselines import Baseline, learn, merge_all
from features.window_store import WindowStore
from service.jobs.refresh import refresh
from service.settings import Settings
from service.wiring import open_home

DAY = timedelta(days=1)
STEPS = {
    "extraction": ("survey", "windows"),
    "learning": ("evidence",),
    "model": ("forest", "baseline", "save", "done"),
}


class Costs:
    """CPU seconds by step: what is spent until a step is named again belongs to it; after windows comes learning."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._step, self._since = "survey", time.process_time()

    def __call__(self, step: str, done: float) -> None:
        now = time.process_time()
        self.seconds[self._step] += now - self._since
        self._step, self._since = "evidence" if (step, done) == ("windows", 1.0) else step, now

    def of(self, *steps: str) -> float:
        return sum(self.seconds[step] for step in steps)


def night(home: Path, days: int) -> Costs:
    """Refresh up to the end of so many days."""
    costs = Costs()
    opened = open_home(Settings.load(home, {"WHARFINGER_EXECUTOR": "threads", "WHARFINGER_JOBS": "1"}))
    refresh(opened, until=START + days * DAY, progress=costs)
    costs("done", 1.0)
    return costs


def baselines(store: WindowStore, days: int) -> tuple[float, float]:
    """Give the CPU seconds of merging the last day, and of learning all days, from windows at hand."""
    read = [store.read(START + day * DAY, START + (day + 1) * DAY) for day in range(days)]
    state = merge_all([Baseline.empty(START), *(learn(read[day], *_span(day)) for day in range(days - 1))])
    began = time.process_time()
    state.merge(learn(read[-1], *_span(days - 1)))
    one = time.process_time() - began
    began = time.process_time()
    anew = Baseline.empty(START)
    for day, windows in enumerate(read):
        anew = anew.merge(learn(windows, *_span(day)))
    return one, time.process_time() - began


def _span(day: int) -> tuple[datetime, datetime]:
    return START + day * DAY, START + (day + 1) * DAY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make(home / "lake", events=given.events, workloads=given.workloads, days=given.days)
        night(home, given.days - 1)
        merged = night(home, given.days)
        for known in ("windows", "learnt"):
            shutil.rmtree(home / known)
        anew = night(home, given.days)
        one, all_days = baselines(open_home(Settings.load(home, {})).windows, given.days)
    table = Table(title=f"{given.days} days of {given.workloads} workloads, {given.events:,} events, CPU seconds")
    for column in ("step", "one day merged", "all days anew", "times cheaper"):
        table.add_column(column, justify="left" if column == "step" else "right")
    rows = {name: (merged.of(*steps), anew.of(*steps)) for name, steps in STEPS.items()}
    rows["extraction and learning"] = tuple(map(sum, zip(rows["extraction"], rows["learning"], strict=True)))
    rows["whole refresh"] = sum(merged.seconds.values()), sum(anew.seconds.values())
    rows["baselines alone"] = one, all_days
    for name, (cheap, dear) in rows.items():
        table.add_row(name, f"{cheap:.2f}", f"{dear:.2f}", f"{dear / max(cheap, 1e-3):.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
