"""Score one window after another as a server does, in lakes of several lengths: the CPU of a turn should be the same.

Every fleet is made as `benchmarks.fleet` does, and runs short jobs besides, whose containers come and go: there is much
to know of containers. The windows of the last day's noon come in one by one; the first turn reads what the later
ones keep.
"""

import argparse
import statistics
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.fleet import SPREAD, START, Fleet, address, text
from features.events import TIME, conform
from features.lake import Lake
from features.windows import WINDOW
from models.detector import Detector
from models.training import train
from service.jobs.score import score
from service.settings import Settings
from service.wiring import open_home

DAY = timedelta(days=1)
NOON = timedelta(hours=12)
STEPS = ("create", "start", "inspect", "die", "destroy")
LASTS = timedelta(minutes=3)


def jobs(day: int, count: int, workloads: int) -> pl.DataFrame:
    """Make the lives of so many containers that each run for three minutes of a day."""
    number = pl.int_range(count)
    began = pl.lit(START + day * DAY, TIME) + pl.duration(microseconds=number * (DAY // timedelta.resolution // count))
    made = pl.select(number=number, began=began).with_columns(who=workloads + pl.col("number") % 97)
    own = text(f"j{day}-", pl.col("number"), "-").str.pad_end(64, "0")
    lives = [
        made.select(
            (pl.col("began") + place * LASTS / 4).alias("ts"),
            ((day * count + pl.col("number")) * len(STEPS) + place).cast(pl.UInt64).alias("event_id"),
            pl.lit("docker_events").alias("source"),
            pl.lit("config" if action == "inspect" else "lifecycle").alias("kind"),
            pl.lit(action).alias("action"),
            text("n", pl.col("number") % 40).alias("host"),
            own.alias("container_id"),
            text("docker:jobs/j", pl.col("who")).alias("workload"),
            pl.lit("jobs/run").alias("image_repository"),
            *([
                pl.concat_list(pl.lit("User=10001"), text("Label=", pl.col("number"))).alias("config"),
                pl.concat_list(address("who")).alias("addresses"),
            ] if action == "inspect" else []),
        )
        for place, action in enumerate(STEPS)
    ]  # fmt: skip
    found = conform(pl.concat(lives, how="diagonal"))
    return found.with_columns((pl.col("event_id") + 2**40) * pl.lit(SPREAD, pl.UInt64)).sort("ts")


def make(lake: Lake, days: int, given: argparse.Namespace) -> pl.DataFrame:
    """Make a lake up to the last day's noon; give the events that follow."""
    later, noon = [], START + (days - 1) * DAY + NOON
    fleet = Fleet(given.workloads, given.events * days, days, 7)
    for batch in (*fleet.batches(), *(jobs(day, given.jobs, given.workloads) for day in range(days))):
        lake.append(batch.filter(pl.col("ts") < noon))
        later.append(batch.filter(pl.col("ts") >= noon))
    return pl.concat(later).sort("ts")


def turns(home: Path, days: int, later: pl.DataFrame, detector: Detector, count: int) -> list[float]:
    """Score windows as they come in; give the CPU seconds of each."""
    opened = open_home(Settings.load(home, {"WHARFINGER_HISTORY_DAYS": "3650"}))
    spent = []
    for number in range(count):
        since: datetime = START + (days - 1) * DAY + NOON + number * WINDOW
        end = since + WINDOW
        opened.lake.append(later.filter(pl.col("ts").is_between(since, end, closed="left")))
        began = time.process_time()
        score(opened, since=since, until=end, closed=end, detector=detector)
        spent.append(time.process_time() - began)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, nargs="*", default=[2, 10, 30])
    parser.add_argument("--workloads", type=int, default=200)
    parser.add_argument("--events", type=int, default=20_000, help="of traffic, a day")
    parser.add_argument("--jobs", type=int, default=2_000, help="short-lived containers a day")
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    table = Table(
        title=f"{given.workloads} workloads, {given.events:,} events and {given.jobs:,} jobs a day, CPU seconds"
    )
    for column in ("days", "files", "events of lives", "first turn", "each later turn"):
        table.add_column(column, justify="right")
    for days in given.days:
        with tempfile.TemporaryDirectory() as folder:
            lake = Lake(Path(folder) / "lake")
            later = make(lake, days, given)
            detector, _ = train(lake, until=START + (days - 1) * DAY, days=1)
            first, *others = turns(Path(folder), days, later, detector, given.turns)
            told = lake.read(kinds=["lifecycle", "config"], columns=["ts"]).height
            shown = (f"{len(lake.files()):,}", f"{told:,}", f"{first:.2f}", f"{statistics.median(others):.2f}")
            table.add_row(str(days), *shown)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
