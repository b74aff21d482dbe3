"""Of all snapshots of containers those that stood at a moment: which they are is known before any is read in full."""

import hashlib
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.addresses import Network
from features.events import conform, with_missing
from features.extraction import CONTROL_COLUMNS
from features.lake_files import micros
from features.lake_reader import LakeReader
from features.leases import Leases, attribute
from features.rollouts import LIFE_KINDS, lasting


class StandingSnapshots:
    """The snapshots of a lake, attributed.

    Parameters
    ----------
    lake
        Where they are read from.
    told
        What tells of leases (`features.lives.Lives.events`).
    leases
        What that tells.
    networks
        Internal networks.
    """

    def __init__(self, lake: LakeReader, told: pl.DataFrame, leases: Leases, networks: tuple[Network, ...]) -> None:
        self._lake, self._leases, self._networks = lake, leases, networks
        held = with_missing(lasting(told.filter(pl.col("kind").is_in(LIFE_KINDS))))
        placed = attribute(held, leases, networks)
        self._ids = placed.select("ts", "event_id")
        self._from = placed["ts"].to_physical().to_numpy()
        self._until = placed["until"].to_physical().fill_null(np.iinfo(np.int64).max).to_numpy()
        self._hashes = placed.select("event_id", "host", "workload", "healthcheck").hash_rows().to_numpy()
        self._read = conform(pl.DataFrame()).select(CONTROL_COLUMNS)

    def digest(self, moment: datetime) -> str:
        """Give a text that is another one for other snapshots, or other workloads of them, before a moment."""
        return hashlib.sha256(self._hashes[self._stood(moment)].tobytes()).hexdigest()

    def before(self, moment: datetime) -> pl.DataFrame:
        """Give the last snapshot of each container that stood before a moment; of a later one only what is new is read.

        Returns
        -------
        Attributed events with `CONTROL_COLUMNS`, in time order.
        """
        wanted = self._ids.filter(self._stood(moment))
        known = self._read.join(wanted, on="event_id", how="semi")
        missing = wanted.join(known, on="event_id", how="anti")
        days = missing.group_by(pl.col("ts").dt.date(), maintain_order=True)
        self._read = pl.concat([known, *(self._of(some) for _, some in days)])
        return attribute(self._read, self._leases, self._networks)

    def _stood(self, moment: datetime) -> NDArray[np.bool_]:
        return (self._from < micros(moment)) & (self._until >= micros(moment))

    def _of(self, ids: pl.DataFrame) -> pl.DataFrame:
        since, until = ids["ts"][0], ids["ts"][-1] + timedelta.resolution
        events = self._lake.read(since, until, ("config",), CONTROL_COLUMNS)
        return events.join(ids, on="event_id", how="semi")
