"""Finds out what the telemetry covers: each file of the lake is looked at once."""

import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from features import whole_files
from features.addresses import Network, internal_networks
from features.coverage import COVERAGE_COLUMNS, COVERAGE_SCHEMA, coverage, merge
from features.events import KINDS
from features.extraction import DAY, floor_day
from features.lake_files import File, in_slices, moment
from features.leases import Leases
from features.stores import Store
from service.jobs.locks import only_one
from service.jobs.progress import Progress, silent
from service.wiring import Home

_SCHEMA = {"file": pl.String()} | COVERAGE_SCHEMA


def measure_coverage(home: Home, *, patience: timedelta | None = None, progress: Progress = silent) -> bool:
    """Count what the lake's files hold, where they were not counted yet, and keep the sum.

    Workloads are those that leases name when a file is counted; events that a killed merge left twice count twice.
    What is older than the history is forgotten.

    Parameters
    ----------
    patience
        For how long at most to count; what is left, the oldest days, is for the next time. None: until all is counted.
    progress
        Told the step, and the share of it that is done.

    Returns
    -------
    Whether all is counted.

    Raises
    ------
    JobError
        If another process does so.
    """
    folder, began = home.settings.home / "coverage", time.monotonic()
    folder.mkdir(mode=0o700, exist_ok=True)
    with only_one(folder / "lock", "count of what is covered"), home.lake.held():
        days: dict[date, list[File]] = {}
        for file in home.lake.files():
            days.setdefault(file.day, []).append(file)
        counter: _Counter | None = None
        whole, parts = True, []
        for number, day in enumerate(sorted(days, reverse=True), 1):
            kept = folder / f"{day}.parquet"
            counted = _read(kept)
            known = set(counted["file"])
            fresh = [file for file in days[day] if file.name not in known]
            if fresh and (patience is None or time.monotonic() - began < patience.total_seconds()):
                counter = counter or _Counter(home)
                counted = pl.concat([_of(counted, days[day]), *map(counter.count, fresh)])
                whole_files.write_parquet(counted, kept)
            elif fresh:
                whole = False
            parts.append(_of(counted, days[day]).drop("file"))
            progress("coverage", number / len(days))
        for path in set(folder.glob("*.parquet")) - {folder / f"{day}.parquet" for day in days}:
            path.unlink()
    home.coverage.replace(merge(parts))
    if latest := home.coverage.latest():
        home.coverage.forget(latest - timedelta(days=home.settings.history_days))
    return whole


class _Counter:
    """Counts files, by what all leases say."""

    def __init__(self, home: Home) -> None:
        self._store: Store = home.lake.store
        self._leases: Leases = home.lives.renew().leases()
        self._networks: tuple[Network, ...] = internal_networks(home.settings.internal_cidrs)

    def count(self, file: File) -> pl.DataFrame:
        """Count what a file holds."""
        since = floor_day(moment(file.first))
        slices = in_slices(self._store, [file], since, since + DAY, KINDS, COVERAGE_COLUMNS)
        found = merge([coverage(events, self._leases, self._networks) for events in slices])
        return found.select(pl.lit(file.name).alias("file"), pl.all())


def _read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=_SCHEMA)


def _of(counted: pl.DataFrame, files: Sequence[File]) -> pl.DataFrame:
    """Keep what was counted of files that there are."""
    return counted.filter(pl.col("file").is_in([file.name for file in files]))
