"""Of all snapshots of containers those that stood at a moment: which they are is known before any is read in full."""

import hashlib
from datetime import datetime

import numpy as np
import polars as pl

from features.addresses import Network
from features.events import with_missing
from features.extraction import CONTROL_COLUMNS
from features.lake_files import micros
from features.leases import Leases, attribute
from features.lives import Lives
from features.rollouts import LIFE_KINDS, lasting


class StandingSnapshots:
    """The snapshots of a lake, attributed.

    Parameters
    ----------
    lives
        Reads them in full.
    told
        What tells of leases (`Lives.events`).
    leases
        What that tells.
    networks
        Internal networks.
    """

    def __init__(self, lives: Lives, told: pl.DataFrame, leases: Leases, networks: tuple[Network, ...]) -> None:
        self._lives, self._leases, self._networks = lives, leases, networks
        held = with_missing(lasting(told.filter(pl.col("kind").is_in(LIFE_KINDS))))
        placed = attribute(held, leases, networks)
        self._from = placed["ts"].to_physical().to_numpy()
        self._until = placed["until"].to_physical().fill_null(np.iinfo(np.int64).max).to_numpy()
        self._hashes = placed.select("event_id", "host", "workload", "healthcheck").hash_rows().to_numpy()

    def digest(self, moment: datetime) -> str:
        """Give a text that is another one for other snapshots, or other workloads of them, before a moment."""
        stood = (self._from < micros(moment)) & (self._until >= micros(moment))
        return hashlib.sha256(self._hashes[stood].tobytes()).hexdigest()

    def before(self, moment: datetime) -> pl.DataFrame:
        """Give the last snapshot of each container that stood before a moment; of a later one only what is new is read.

        Returns
        -------
        Attributed events with `CONTROL_COLUMNS`, in time order.
        """
        return attribute(self._lives.standing(moment, CONTROL_COLUMNS), self._leases, self._networks)
