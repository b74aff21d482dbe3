"""The windows of a bucket of workloads on one day, from nothing but the bucket's events and all DNS answers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from features import whole_files
from features.answers import read_answers
from features.attributed import ANSWERS, read_bucket
from features.extraction import assemble, extractions, images_of
from features.partition import Bucket, bucket_of
from features.protocols import Extraction
from features.windows import WINDOW

# What the features of a window look back at: where flows went and when, what they carried, and what was looked up.
TRAILING_COLUMNS = (
    "ts", "event_id", "kind", "workload", "peer", "external", "dst_ip", "dst_port", "proto", "bytes_out", "bytes_in",
    "uid", "server_name", "query",
)  # fmt: skip
TABLES = ("values", "items", "facts")


@dataclass(frozen=True)
class Dealt:
    """A day whose events were dealt to buckets.

    Parameters
    ----------
    folder
        Where they lie (`features.attributed`).
    buckets
        How many buckets there are.
    last_traffic, last_control
        Time of the last event of each class, in all buckets; before the day if it has none.
    heard
        Whether a DNS look-up was seen.
    """

    folder: Path
    buckets: int
    last_traffic: datetime
    last_control: datetime
    heard: bool


@dataclass(frozen=True)
class BucketDay:
    """A bucket on a day, to be extracted by one task.

    Parameters
    ----------
    since, until
        The day: windows that lie in it.
    own
        What was dealt of the day.
    before
        What was dealt of the day before; None if there is nothing of it.
    index
        Index of the bucket among the day's.
    paths
        Files to write, one for each of `TABLES`.
    """

    since: datetime
    until: datetime
    own: Dealt
    before: Dealt | None
    index: int
    paths: tuple[Path, ...]

    @property
    def bucket(self) -> Bucket:
        """Index and count."""
        return self.index, self.own.buckets


def extract_bucket(task: BucketDay) -> None:
    """Extract the windows of a bucket's workloads and write them, the file of facts last."""
    if task.paths[-1].exists():
        return
    control = _control(task)
    found = [*_of_traffic(task), *extractions(control, since=task.since, until=task.own.last_control)]
    closed = assemble(found, images_of(control)).between(task.since, task.until - WINDOW + timedelta.resolution)
    mine = bucket_of("workload", task.own.buckets) == task.index
    for name, path in zip(TABLES, task.paths, strict=True):
        whole_files.write_parquet(getattr(closed, name).filter(mine), path)


def _of_traffic(task: BucketDay) -> list[Extraction]:
    days = [task.own] if task.before is None else [task.before, task.own]
    events = read_bucket(task.own.folder, "traffic", task.bucket, dealt=task.own.buckets)
    if task.before is not None:
        day = task.before
        earlier = read_bucket(day.folder, "traffic", task.bucket, dealt=day.buckets, columns=TRAILING_COLUMNS)
        events = pl.concat([earlier, events], how="diagonal")
    answers = read_answers(
        [day.folder / ANSWERS for day in days],
        events.filter(pl.col("kind") == "flow")["dst_ip"],
        heard=any(day.heard for day in days),
    )
    return extractions(events, answers=answers, since=task.since, until=task.own.last_traffic)


def _control(task: BucketDay) -> pl.DataFrame:
    events = read_bucket(task.own.folder, "control", task.bucket, dealt=task.own.buckets)
    if task.before is not None:
        recent = read_bucket(task.before.folder, "control", task.bucket, dealt=task.before.buckets)
        recent = recent.filter(pl.col("ts") >= task.since - 2 * WINDOW)
        events = pl.concat([events, recent]).sort("ts", "event_id")
    return events
