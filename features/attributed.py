"""Events with their workloads, dealt to buckets of workloads: files of the lake go in, each bucket is read by itself.

A bucket holds what concerns its workloads: their own events, and the flows that reach them. Of a flow from another
bucket there is a copy that says who came and names no workload, so that nothing is counted twice.

Where buckets are many, each slice of the lake would have only some rows for each, and files would be as many as slices
times buckets. Slices are then dealt to groups of buckets that lie side by side, and each group to its buckets.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import polars as pl

from features import whole_files
from features.addresses import Network
from features.answers import given
from features.day_leases import load
from features.extraction import CONTROL, CONTROL_COLUMNS, TRAFFIC, TRAFFIC_COLUMNS
from features.lake_files import File, in_slices
from features.leases import attribute
from features.partition import bucket_of
from features.stores import Store

Class = Literal["traffic", "control"]
KINDS: dict[Class, tuple[str, ...]] = {"traffic": TRAFFIC, "control": CONTROL}
COLUMNS: dict[Class, tuple[str, ...]] = {"traffic": TRAFFIC_COLUMNS, "control": CONTROL_COLUMNS}
ANSWERS = "answers"  # folder of what DNS answered
GROUPS = 64  # buckets, or groups of them, that one task deals to at most
_TOGETHER = 100_000  # events of a group that are dealt at a time
ROW_GROUP = 1 << 15  # of dealt events, of which spans of time are read apart
_DONE = ".done"
# of a flow that comes from another bucket: when, who, and how it went
_COPIED = ("ts", "event_id", "kind", "src_ip", "peer", "conn_state")
# what only attribution asks for
FOR_ATTRIBUTION = {"traffic": ("host", "container_id", "actor", "answers"), "control": ()}


@dataclass(frozen=True)
class Slice:
    """Some files of the lake, to be attributed and dealt by one task.

    Parameters
    ----------
    store, files
        Files of the lake, and where they lie.
    since, until
        Only events with `since <= ts < until`.
    leases
        Folder that `features.day_leases` wrote.
    networks
        Internal networks.
    buckets
        How many buckets to deal to.
    folder
        Where the buckets lie.
    number
        Number of this slice among those of the folder.
    """

    holds: Class
    store: Store
    files: Sequence[File]
    since: datetime
    until: datetime
    leases: Path
    networks: tuple[Network, ...]
    buckets: int
    folder: Path
    number: int

    @property
    def name(self) -> str:
        """Name of this slice's part of every bucket."""
        return f"{self.holds}-{self.number:05d}"


def is_done(folder: Path, name: str) -> bool:
    """Say whether a part was written to every bucket."""
    return (folder / f"{name}{_DONE}").exists()


def deal_slice(task: Slice) -> None:
    """Attribute the events of a slice and deal them to buckets, and what DNS answered to a file of its own."""
    if is_done(task.folder, task.name):
        return
    leases = load(task.leases)
    parts: list[pl.DataFrame] = []
    answers: list[pl.DataFrame] = []
    for events in in_slices(task.store, task.files, task.since, task.until, KINDS[task.holds], COLUMNS[task.holds]):
        found = attribute(events, leases, task.networks).drop(FOR_ATTRIBUTION[task.holds], strict=False)
        parts += _dealt(found, task.buckets)
        if task.holds == "traffic":
            answers.append(given(events.filter(pl.col("kind") == "dns")))
    if answers:
        told = pl.concat(answers).unique().sort("dst_ip", "ts", "resolved")
        whole_files.write_parquet(told, task.folder / ANSWERS / f"given-{task.number:05d}.parquet", durable=False)
    deal(parts, task.folder, task.name, task.buckets)


def deal(parts: Sequence[pl.DataFrame], folder: Path, name: str, buckets: int) -> None:
    """Write events that carry their `bucket` as a part of each bucket or group of them; when it is done, it says so."""
    if buckets <= GROUPS:
        _write(parts, pl.col("bucket"), folder, "bucket", name)
    else:
        _write(parts, pl.col("bucket") * pl.lit(GROUPS, pl.Int64) // buckets, folder, "group", name)
    (folder / f"{name}{_DONE}").touch()


@dataclass(frozen=True)
class Group:
    """Buckets side by side to which slices have dealt together, to be dealt to each by one task.

    Parameters
    ----------
    folder
        Where the day lies.
    index
        Index of the group, out of `GROUPS`.
    """

    folder: Path
    index: int

    @property
    def name(self) -> str:
        """Name of the group."""
        return f"group-{self.index:05d}"


def groups(folder: Path, buckets: int) -> list[Group]:
    """List the groups to which slices deal a day; none where they deal to its buckets."""
    return [Group(folder, index) for index in range(GROUPS)] if buckets > GROUPS else []


def deal_group(task: Group) -> None:
    """Deal the events of a group to its buckets, and remove the group."""
    if is_done(task.folder, task.name):
        return
    own = task.folder / f"group={task.index:05d}"
    for holds in KINDS:
        parts: list[pl.DataFrame] = []
        for number, path in enumerate(paths := sorted(own.glob(f"{holds}-*.parquet")), 1):
            parts.append(pl.read_parquet(path))
            if sum(map(len, parts)) >= _TOGETHER or number == len(paths):
                _write(parts, pl.col("bucket"), task.folder, "bucket", f"{holds}-{number:05d}")
                parts = []
    (task.folder / f"{task.name}{_DONE}").touch()
    shutil.rmtree(own, ignore_errors=True)


def _write(parts: Sequence[pl.DataFrame], place: pl.Expr, folder: Path, places: str, name: str) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows = pl.concat(parts, how="diagonal")
    order = rows.select(place.alias("place"), "ts", "event_id").with_row_index("row").sort("place", "ts", "event_id")
    for (number,), of_place in order.group_by("place", maintain_order=True):
        path = folder / f"{places}={number:05d}" / f"{name}.parquet"
        whole_files.write_parquet(rows[of_place["row"]], path, row_group=ROW_GROUP, durable=False)


def _dealt(events: pl.DataFrame, buckets: int) -> list[pl.DataFrame]:
    """Give events with the `bucket` of their workload, and flows again with that of who was reached if it differs."""
    events = events.with_columns(bucket_of("workload", buckets))
    reached = events.filter((pl.col("kind") == "flow") & pl.col("peer").is_not_null())
    came = reached.with_columns(
        pl.coalesce("workload", "src_ip").alias("src_ip"), bucket_of("peer", buckets).alias("to")
    )
    copies = came.filter(pl.col("bucket").is_null() | (pl.col("bucket") != pl.col("to")))
    own = events.filter(pl.col("bucket").is_not_null())
    return [own, copies.select(*_COPIED, pl.col("to").alias("bucket"))]
