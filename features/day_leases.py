"""Of all leases those that matter to one day: the same however much was learnt since, unless it is of that day.

What they say of the day's events is what all leases say of them.
"""

import hashlib
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features import whole_files
from features.lake_files import micros
from features.leases import PULL_TO_RUN, Leases
from features.survey import Marks, mark

_PULL_TO_RUN = PULL_TO_RUN // timedelta.resolution
_OPEN = np.iinfo(np.int64).max  # the end of what has not ended


class DayLeases:
    """Finds the leases of one day after the other: what asks for all leases is done once.

    Parameters
    ----------
    leases
        All there are.
    pulled
        Times of pulls, ascending: what ran is asked for by those alone.
    """

    def __init__(self, leases: Leases, pulled: pl.Series) -> None:
        # these two stand in the order in which they were heard of, which later telemetry may change
        containers, machines = leases.containers.sort("container_id"), leases.machines.sort("address")
        self._tables = _tables(replace(leases, containers=containers, machines=machines))
        self._hashes = {name: table.drop("valid_to", strict=False).hash_rows() for name, table in self._tables.items()}
        self._marks = {
            name: self._tables[name].select(mark(column)).to_series().to_numpy()
            for name, column in (("containers", "container_id"), ("addresses", "address"), ("machines", "address"))
        }
        self._from, self._to = (_times(leases.addresses[name]) for name in ("valid_from", "valid_to"))
        self._ran, self._pulled = _times(leases.runs["ts"]), _times(pulled)
        following = pl.col("row").shift(-1).over("address", "host").fill_null(pl.len())
        self._following = leases.addresses.with_row_index("row").select(following).to_series().to_numpy()

    def during(self, since: datetime, until: datetime, met: Marks) -> Leases:
        """Keep what can name the workload of an event with `since <= ts < until`.

        Parameters
        ----------
        met
            Marks of the containers and addresses in the events (`features.survey`).
        """
        rows = self._rows(since, until, met)
        found = Leases(**{name: self._tables[name][chosen] for name, chosen in rows.items()})
        ended = pl.when(pl.col("valid_to") < until).then("valid_to").alias("valid_to")
        return replace(found, addresses=found.addresses.with_columns(ended))

    def digest(self, since: datetime, until: datetime, met: Marks) -> str:
        """Give a text that is another one for other leases `during` a span."""
        rows = self._rows(since, until, met)
        ends = self._to[rows["addresses"]]
        found = hashlib.sha256(np.where(ends < micros(until), ends, _OPEN).tobytes())
        for name, chosen in rows.items():
            found.update(name.encode() + self._hashes[name][chosen].to_numpy().tobytes())
        return found.hexdigest()

    def _rows(self, since: datetime, until: datetime, met: Marks) -> dict[str, NDArray[np.intp]]:
        first = int(self._from.searchsorted(micros(since), "right"))
        begun = int(self._from.searchsorted(micros(until)))
        # The last lease from before hides older ones even where it is over.
        addresses = (self._following >= first) & (np.arange(len(self._from)) < begun)
        return {
            "containers": np.flatnonzero(np.isin(self._marks["containers"], met)),
            "addresses": np.flatnonzero(addresses & np.isin(self._marks["addresses"], met)),
            "runs": self._runs(micros(since), micros(until)),
            "machines": np.flatnonzero(np.isin(self._marks["machines"], met)),
        }

    def _runs(self, since: int, until: int) -> NDArray[np.intp]:
        """Find the runs that a pull of the day may have been for."""
        first, after = self._pulled.searchsorted([since, until])
        pulled = self._pulled[first:after]
        found = pulled.searchsorted(self._ran, "right") > pulled.searchsorted(self._ran - _PULL_TO_RUN)
        return np.flatnonzero(found)


def save(leases: Leases, folder: Path) -> None:
    """Write the tables of leases to a folder."""
    for name, table in _tables(leases).items():
        whole_files.write_parquet(table, folder / f"{name}.parquet", durable=False)


def load(folder: Path) -> Leases:
    """Read what `save` wrote."""
    return Leases(**{item.name: pl.read_parquet(folder / f"{item.name}.parquet") for item in fields(Leases)})


def _times(column: pl.Series) -> NDArray[np.int64]:
    return column.to_physical().fill_null(_OPEN).to_numpy()


def _tables(leases: Leases) -> dict[str, pl.DataFrame]:
    return {item.name: getattr(leases, item.name) for item in fields(leases)}
