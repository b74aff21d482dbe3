"""The windows of a bucket of workloads on one day, from nothing but the bucket's events and all DNS answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from features import whole_files
from features.answers import read_answers
from features.attributed import ANSWERS
from features.dealt_events import Dealt, Span, shared, spans
from features.events import with_missing
from features.extraction import Part, assemble, extractions, images_of
from features.flows import name_destinations
from features.lake_files import asked, once
from features.partition import Bucket, bucket_of
from features.rollouts import LIFE_KINDS
from features.windows import WINDOW

# What the features of a window look back at: where flows went and when, what they carried, and what was looked up.
TRAILING_COLUMNS = (
    "ts", "event_id", "kind", "workload", "peer", "external", "dst_ip", "dst_port", "proto", "bytes_out", "bytes_in",
    "uid", "server_name", "query",
)  # fmt: skip
TABLES = ("values", "items", "facts")
MOST = 48_000  # events, of the day and of the one before, that are extracted together


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
    traffic, control = _traffic(task), _control(task)
    found = extractions(_named(task, traffic), task.since)
    found += extractions((_part(control, span, task.own.last_control) for span in spans(control, MOST)), task.since)
    lives = control.filter(pl.col("kind").is_in(LIFE_KINDS)).collect()
    closed = assemble(found, images_of(lives)).between(task.since, task.until - WINDOW + timedelta.resolution)
    mine = bucket_of("workload", task.own.buckets) == task.index
    for name, path in zip(TABLES, task.paths, strict=True):
        whole_files.write_parquet(getattr(closed, name).filter(mine), path)


def _traffic(task: BucketDay) -> pl.LazyFrame:
    events = task.own.scan("traffic", task.bucket)
    if task.before is None:
        return events
    return pl.concat([task.before.scan("traffic", task.bucket, TRAILING_COLUMNS), events], how="diagonal")


def _control(task: BucketDay) -> pl.LazyFrame:
    events = task.own.scan("control", task.bucket)
    if task.before is None:
        return events
    recent = task.before.scan("control", task.bucket).filter(pl.col("ts") >= task.since - 2 * WINDOW)
    return pl.concat([events, recent])


def _named(task: BucketDay, events: pl.LazyFrame) -> Iterator[Part]:
    among = spans(events, MOST)
    others = shared(events, among)
    days = [task.own] if task.before is None else [task.before, task.own]
    folders, heard = [day.folder / ANSWERS for day in days], any(day.heard for day in days)

    def named(span: Span) -> Part:
        part = _part(events, span, task.own.last_traffic)
        beyond = others.filter(~asked(*span, None))
        flows = pl.concat(table.select("kind", "dst_ip") for table in (part.events, beyond))
        answers = read_answers(folders, flows.filter(pl.col("kind") == "flow")["dst_ip"], heard=heard)
        return Part(name_destinations(part.events, answers, beyond), part.until)

    return map(named, among)


def _part(events: pl.LazyFrame, span: Span, last: datetime) -> Part:
    own = once(events.filter(asked(*span, None)).collect())
    return Part(with_missing(own), last if span[1] is None else span[1] - timedelta.resolution)
