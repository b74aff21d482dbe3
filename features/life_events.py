"""Events of the lives of containers and images, kept in memory: a file of the lake is read once and never changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.container_leases import HEALTHCHECK
from features.events import conform
from features.holdings import by_day_and_class
from features.lake_files import File, asked, once, scan
from features.lake_reader import LakeReader
from features.leases import LEASE_COLUMNS, LEASE_KINDS
from features.machines import IMAGE, MACHINE_KINDS
from features.rollouts import LIFE_KINDS

Key = Literal["container", "image"]
Marks = NDArray[np.uint64]

KEYS: dict[Key, pl.Expr] = {"container": pl.col("container_id").hash(), "image": pl.struct(IMAGE).hash()}
_TELLS: dict[Key, pl.Expr] = {
    "container": pl.col("kind").is_in(LIFE_KINDS) & pl.col("container_id").is_not_null(),
    "image": pl.col("kind").is_in(MACHINE_KINDS),
}
_MARKS = [pl.when(_TELLS[key]).then(mark).alias(key) for key, mark in KEYS.items()]
_Group = tuple[date, str | None]
_IDENTITY = ("ts", "event_id")


class LifeEvents:
    """What the files of a lake tell of containers and images, as of the last `renew`.

    Events have `LEASE_COLUMNS` and, where they tell of one, the marks of their `container` and `image`: hashes by
    `KEYS`, good within this process. Of configurations, which are most of what is read, only what leases keep is held.

    Parameters
    ----------
    lake
        Others may add to it, merge its files and remove them.
    """

    def __init__(self, lake: LakeReader) -> None:
        self._lake = lake
        self._parts: dict[_Group, _Part] = {}

    def renew(self) -> pl.DataFrame:
        """Read the files that are new, and forget what no file holds any more.

        Returns
        -------
        The events that came or went; none of files that were only merged.
        """
        return self._lake.steadily(self._renew, LEASE_KINDS)

    def between(self, since: datetime, until: datetime) -> pl.DataFrame:
        """Give the events with `since <= ts < until`."""
        days = since.astimezone(UTC).date(), until.astimezone(UTC).date()
        met = [part.rows for (day, _), part in self._parts.items() if days[0] <= day <= days[1]]
        return pl.concat([_nothing(), *met]).filter(pl.col("ts").is_between(since, until, closed="left"))

    def of(self, key: Key, marks: Marks, until: datetime) -> pl.DataFrame:
        """Give the events of some containers or images before `until`, by time, each once."""
        chosen = pl.col(key).is_in(pl.Series(marks, dtype=pl.UInt64).implode()) & (pl.col("ts") < until)
        found = [part.rows.filter(chosen) for part in self._parts.values() if part.meets(key, marks)]
        return once(pl.concat([_nothing(), *found]))

    def _renew(self, files: Sequence[File]) -> pl.DataFrame:
        there: dict[_Group, list[File]] = {(held[0].day, held[0].kept): held for held in by_day_and_class(files)}
        parts = {group: self._part(group, held) for group, held in there.items()}
        differing = [
            _differing(_rows(self._parts.get(group)), _rows(parts.get(group)))
            for group in self._parts | parts
            if self._parts.get(group) is not parts.get(group)
        ]
        self._parts = parts
        return pl.concat([_nothing(), *differing])

    def _part(self, group: _Group, files: Sequence[File]) -> "_Part":
        """Give what a day and class has now: only new files are read, unless some are gone."""
        names, known = frozenset(file.name for file in files), self._parts.get(group)
        if known is None or not known.names <= names:
            return _Part.of(names, _told(self._lake, files))
        fresh = [file for file in files if file.name not in known.names]
        return _Part.of(names, pl.concat([known.rows, _told(self._lake, fresh)])) if fresh else known


@dataclass(frozen=True, eq=False)
class _Part:
    """The events of a day and class by time, the files that they lie in, and all marks in order."""

    names: frozenset[str]
    rows: pl.DataFrame
    marks: dict[Key, Marks]

    @classmethod
    def of(cls, names: frozenset[str], events: pl.DataFrame) -> Self:
        """Make one of events in any order."""
        rows = once(events)
        marks = {key: rows[key].drop_nulls().unique().sort().to_numpy() for key in KEYS}
        return cls(names, rows, marks)

    def meets(self, key: Key, marks: Marks) -> bool:
        """Tell whether any of some marks are among the events."""
        held = self.marks[key]
        near = np.searchsorted(held, marks).clip(max=held.size - 1)
        return bool(held.size) and bool((held[near] == marks).any())


def _told(lake: LakeReader, files: Sequence[File]) -> pl.DataFrame:
    kept = pl.col("config").list.filter(pl.element().str.starts_with(HEALTHCHECK))
    read = scan(lake.store, files).filter(asked(None, None, LEASE_KINDS)).select(LEASE_COLUMNS)
    return read.with_columns(kept, *_MARKS).collect()


def _differing(before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([one.join(other, on=_IDENTITY, how="anti") for one, other in ((before, now), (now, before))])


def _rows(part: _Part | None) -> pl.DataFrame:
    return _nothing() if part is None else part.rows


@cache
def _nothing() -> pl.DataFrame:
    return conform(pl.DataFrame()).select(LEASE_COLUMNS).with_columns(_MARKS)
