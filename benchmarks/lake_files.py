"""How a day of flows is best written, and what a backfill costs: CPU seconds and megabytes, in one process on one core.

Encodings: a day of a million rows in files of 250,000, each variant written, read as traffic is read, narrowed to
10,000 rows by time, and read for its ids alone; the better of two reads counts.
Backfill: the same rows dealt out to batches that each span the whole day, added, added again, then compacted.
"""

import argparse
import io
import os
import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ["POLARS_MAX_THREADS"] = "1"

import polars as pl
from ingest import write  # the benchmark beside this one: `python benchmarks/lake_files.py` has it on its path
from rich.console import Console
from rich.table import Table

from features.extraction import TRAFFIC_COLUMNS
from features.ingest import read_events
from features.lake import Lake
from features.lake_files import MOST_ROWS

FEW = 65_536  # different values up to which a column is a dictionary
NARROW = 10_000  # rows


@dataclass(frozen=True)
class Variant:
    """One way to write a day."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    change: Callable[[pl.DataFrame], pl.DataFrame] = lambda events: events
    rows: int = MOST_ROWS


def told(events: pl.DataFrame) -> pl.DataFrame:
    return events.select(column for column in events if column.null_count() < events.height)


def few(events: pl.DataFrame) -> list[str]:
    return [name for name, dtype in events.schema.items() if dtype == pl.String and events[name].n_unique() < FEW]


def categorical(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(pl.col(few(events)).cast(pl.Categorical))


def enum(events: pl.DataFrame) -> pl.DataFrame:
    return events.with_columns(pl.col(name).cast(pl.Enum(events[name].unique().drop_nulls())) for name in few(events))


VARIANTS = [
    Variant("zstd 2, columns that hold something: adopted", {"compression_level": 2}, told),
    Variant("zstd 3, all columns: as before"),
    *(Variant(f"zstd {level}", {"compression_level": level}, told) for level in (1, 3, 9)),
    Variant("lz4", {"compression": "lz4"}, told),
    Variant("not compressed", {"compression": "uncompressed"}, told),
    Variant("Categorical", {"compression_level": 2}, lambda events: categorical(told(events))),
    Variant("Enum", {"compression_level": 2}, lambda events: enum(told(events))),
    Variant("sorted by source, then time", {"compression_level": 2}, lambda events: told(events).sort("src_ip", "ts")),
    Variant("row groups of 25,000", {"compression_level": 2, "row_group_size": 25_000}, told),
    Variant("row groups of 50,000", {"compression_level": 2, "row_group_size": 50_000}, told),
    Variant("files of 50,000", {"compression_level": 2}, told, 50_000),
    Variant("files of 1,000,000", {"compression_level": 2}, told, 1_000_000),
    Variant("no statistics", {"compression_level": 2, "statistics": False}, told),
]


def cpu() -> float:
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def spent(work: Callable[[], object]) -> float:
    began = cpu()
    work()
    return cpu() - began


def measure(variant: Variant, day: pl.DataFrame, folder: Path) -> tuple[float, ...]:
    """Give megabytes, and CPU seconds of writing, reading, reading 10,000 rows, and reading ids."""
    parts = list(day.iter_slices(variant.rows))
    paths = [folder / f"{number}.parquet" for number in range(len(parts))]

    def writing() -> None:
        for path, part in zip(paths, parts, strict=True):
            content = io.BytesIO()
            variant.change(part).write_parquet(content, **({"compression": "zstd"} | variant.options))
            path.write_bytes(content.getbuffer())

    def reading(*columns: str, rows: pl.Expr | None = None) -> float:
        there = [name for name in columns if name in told(day).columns]
        text = [name for name in there if day.schema[name] == pl.String]
        files = [pl.scan_parquet(path) if rows is None else pl.scan_parquet(path).filter(rows) for path in paths]
        query = pl.concat([file.select(there).cast(dict.fromkeys(text, pl.String)) for file in files])
        return min(spent(query.collect) for _ in range(2))

    took = spent(writing)
    middle = day["ts"].sort()[day.height // 2 :]
    narrow = (pl.col("ts") >= middle[0]) & (pl.col("ts") < middle[min(NARROW, middle.len() - 1)])
    size = sum(path.stat().st_size for path in paths) / 1e6
    return size, took, reading(*TRAFFIC_COLUMNS), reading(*TRAFFIC_COLUMNS, rows=narrow), reading("event_id")


def backfill(day: pl.DataFrame, folder: Path, batches: int) -> list[float]:
    """Give CPU seconds of adding rows dealt out to batches, of adding them again, compacting and reading them."""
    lake = Lake(folder)
    dealt = [day.gather_every(batches, start) for start in range(batches)]

    def add() -> None:
        for batch in dealt:
            lake.append(batch)

    return [
        spent(add),
        spent(add),
        spent(lambda: lake.read(columns=TRAFFIC_COLUMNS)),
        spent(lambda: lake.compact(day["ts"].max() + timedelta(days=1))),
        spent(lambda: lake.read(columns=TRAFFIC_COLUMNS)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, nargs="*", default=[20, 60])
    given = parser.parse_args()
    encodings = Table("variant", "MB", "write", "read", "10,000 rows", "ids", title="Encodings, CPU seconds")
    backfills = Table("batches", "add", "again", "read", "compact", "read", title="Backfill, CPU seconds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "conn.log", given.rows)
        day = pl.concat([batch.events for batch in read_events([folder / "conn.log"])])
        for variant in VARIANTS:
            size, *seconds = measure(variant, day, folder)
            encodings.add_row(variant.name, f"{size:.1f}", *(f"{took:.3f}" for took in seconds))
        for batches in given.batches:
            figures = backfill(day, folder / f"lake-{batches}", batches)
            backfills.add_row(f"{batches}", *(f"{took:.2f}" for took in figures))
    Console(width=120).print(encodings, backfills)


if __name__ == "__main__":
    main()
