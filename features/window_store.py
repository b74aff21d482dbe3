"""The windows of each day, kept: written bucket by bucket, and read as if there were no buckets.

A day's files bear its key, which stands for all that they were made of; its manifest names the key that is read. So
a day that is made anew replaces the old one at once, and what a killed run has finished is found by the next.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl

from features import whole_files
from features.bucket_windows import TABLES
from features.partition import Bucket, bucket_of, overlapping
from features.protocols import specs
from features.windows import FACTS_SCHEMA, ITEMS_SCHEMA, KEY, VALUES_SCHEMA, Windows

MOST_WINDOWS = 100_000  # of a part: what is weighed at a time


class WindowStore:
    """Windows under one directory, `date=YYYY-MM-DD/bucket=NNNNN/TABLE-KEY.parquet`.

    Parameters
    ----------
    root
        The directory; it is made if there is none.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def days(self) -> list[date]:
        """List the days that are there in full, or up to where the lake ended when they were made."""
        return sorted(
            date.fromisoformat(path.parent.name.partition("=")[2]) for path in self.root.glob("date=*/*.json")
        )

    def read(
        self,
        since: datetime,
        until: datetime,
        *,
        bucket: Bucket | None = None,
        workloads: Collection[str] | None = None,
    ) -> Windows:
        """Read the windows that start at or after `since` and before `until`.

        Parameters
        ----------
        workloads
            Only these; None for all.
        bucket
            Index and count: only workloads of that bucket. All buckets of a count make up the whole, whatever the
            count is, and however many buckets the days were written in.

        Returns
        -------
        Windows sorted as `features.extraction.extract` sorts them; facts are the latest of the days touched.
        """
        touched = self._touched(since, until)
        own = None if workloads is None else pl.Series("workload", sorted(workloads), pl.String())
        return Windows(*(self._table(name, touched, since, until, bucket, own) for name in TABLES))

    def parts(self, since: datetime, until: datetime, *, most: int = MOST_WINDOWS) -> Iterator[Windows]:
        """Read the windows of a span in parts of about `most`, each of other workloads; at least one."""
        count = 1 << max(-(-self._rows(since, until) // most) - 1, 0).bit_length()
        for index in range(count):
            yield self.read(since, until, bucket=(index, count))

    def fingerprint(self, day: date) -> str:
        """Give a text that changes when a window of the day does.

        Raises
        ------
        KeyError
            If the day is not there.
        """
        return str(self._told(day)["content"])

    def manifest(self, day: date) -> Mapping[str, Any] | None:
        """Read what `finish` was told of a day; None if it is not there."""
        path = self._folder(day) / "manifest.json"
        return json.loads(path.read_bytes()) if path.exists() else None

    def paths(self, day: date, index: int, key: str) -> tuple[Path, ...]:
        """Give the files of a bucket, in the order of `TABLES`; the last is written last."""
        return tuple(self._folder(day) / f"bucket={index:05d}" / f"{name}-{key}.parquet" for name in TABLES)

    def finish(self, day: date, key: str, buckets: int, told: Mapping[str, Any]) -> None:
        """Let a day be read that was written in full.

        Parameters
        ----------
        key
            Key that its files bear.
        told
            What is to be kept with it, ready for JSON.
        """
        content = hashlib.sha256()
        for index in range(buckets):
            for path in self.paths(day, index, key):
                content.update(path.read_bytes())
        manifest = {"key": key, "buckets": buckets, "content": content.hexdigest(), **told}
        whole_files.replace(json.dumps(manifest, sort_keys=True).encode(), self._folder(day) / "manifest.json")

    def sweep(self, day: date, key: str) -> None:
        """Remove what a killed run or an older making left of a day, but for files of a key and those that are read."""
        kept = {key, (self.manifest(day) or {}).get("key")}
        for path in self._folder(day).glob("bucket=*/*"):
            if path.suffix == whole_files.UNFINISHED or path.stem.partition("-")[2] not in kept:
                path.unlink()

    def remove(self, day: date) -> None:
        """Remove a day, its manifest first."""
        folder = self._folder(day)
        (folder / "manifest.json").unlink(missing_ok=True)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()

    def _rows(self, since: datetime, until: datetime) -> int:
        found = self._parts(TABLES[0], self._touched(since, until), since, until)
        return sum(part.select(pl.len()).collect().item() for part in found)

    def _touched(self, since: datetime, until: datetime) -> list[date]:
        return [day for day in self.days() if since.date() <= day <= until.date() and _midnight(day) < until]

    def _table(
        self,
        name: str,
        days: list[date],
        since: datetime,
        until: datetime,
        bucket: Bucket | None,
        workloads: pl.Series | None,
    ) -> pl.DataFrame:
        found = self._parts(name, days, since, until, bucket, workloads)
        parts = [pl.DataFrame(schema=_schema(name)), *(part.collect() for part in found)]
        if name == "facts":  # of the later day
            return pl.concat(parts).unique("workload", keep="last", maintain_order=True).sort("workload")
        order = [*KEY, "feature", "item"] if name == "items" else list(KEY)
        return pl.concat(parts, how="diagonal").sort(order)

    def _parts(
        self,
        name: str,
        days: list[date],
        since: datetime,
        until: datetime,
        bucket: Bucket | None = None,
        workloads: pl.Series | None = None,
    ) -> Iterator[pl.LazyFrame]:
        for day in days:
            told = self._told(day)
            indexes = range(told["buckets"]) if bucket is None else overlapping(bucket, told["buckets"])
            for index in indexes if workloads is None else _holding(workloads, indexes, told["buckets"]):
                part = pl.scan_parquet(self.paths(day, index, told["key"])[TABLES.index(name)], glob=False)
                if name != "facts":
                    part = part.filter(pl.col("window_start") >= since, pl.col("window_start") < until)
                if bucket is not None:
                    part = part.filter(bucket_of("workload", bucket[1]) == bucket[0])
                if workloads is not None:
                    part = part.filter(pl.col("workload").is_in(workloads.implode()))
                yield part

    def _told(self, day: date) -> Mapping[str, Any]:
        told = self.manifest(day)
        if told is None:
            raise KeyError(f"no windows of {day}")
        return told

    def _folder(self, day: date) -> Path:
        return self.root / f"date={day.isoformat()}"


def _holding(workloads: pl.Series, indexes: range, count: int) -> list[int]:
    """List the buckets that workloads lie in, of some out of `count`."""
    held = set(workloads.to_frame().select(bucket_of("workload", count)).to_series())
    return [index for index in indexes if index in held]


def _schema(table: str) -> Mapping[str, Any]:
    if table != "values":
        return ITEMS_SCHEMA if table == "items" else FACTS_SCHEMA
    return VALUES_SCHEMA | {spec.name: pl.Float64() for spec in specs().values() if spec.kind != "items"}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
