"""What a day of the lake holds, as far as others must know before they read it: how much, until when, and of whom."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import polars_hash as plh
from numpy.typing import NDArray

from features import whole_files
from features.events import EPOCH
from features.lake_files import File, in_slices
from features.stores import Store

COLUMNS = ("ts", "kind", "container_id", "src_ip", "dst_ip")
Marks = NDArray[np.uint64]


def _nobody() -> Marks:
    return np.zeros(0, dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Survey:
    """What some events of some kinds are.

    Parameters
    ----------
    rows
        How many they are; an event that two files hold counts twice.
    last
        Time of the last of them; None without any.
    heard
        Whether a DNS look-up is among them.
    met
        Marks of the containers and addresses in them, ascending.
    """

    rows: int = 0
    last: datetime | None = None
    heard: bool = False
    met: Marks = field(default_factory=_nobody)

    def __add__(self, other: "Survey") -> "Survey":
        """Survey both."""
        last = max((moment for moment in (self.last, other.last) if moment is not None), default=None)
        return Survey(self.rows + other.rows, last, self.heard or other.heard, np.union1d(self.met, other.met))


def mark(column: str) -> pl.Expr:
    """Give the mark of a container id or an address."""
    return plh.col(column).nchash.xxh3_64().alias("mark")


def survey(store: Store, files: Sequence[File], since: datetime, until: datetime, kinds: Collection[str]) -> Survey:
    """Survey the events of some kinds that lie in files of a lake, with `since <= ts < until`."""
    found = Survey()
    for events in in_slices(store, files, since, until, kinds, COLUMNS):
        names = pl.concat([events[name].drop_nulls().unique().alias("name") for name in COLUMNS[2:]]).to_frame()
        met = names.select(mark("name").unique().sort()).to_series().to_numpy()
        last: datetime | None = events["ts"].max()  # type: ignore[assignment]  # a column of times
        found += Survey(events.height, last, bool((events["kind"] == "dns").any()), met)
    return found


def save(found: Survey, path: Path) -> None:
    """Keep a survey."""
    content = BytesIO()
    last = -1 if found.last is None else (found.last - EPOCH) // timedelta.resolution
    np.savez(content, numbers=np.array([found.rows, last, found.heard], dtype=np.int64), met=found.met)
    whole_files.replace(content.getvalue(), path)


def load(path: Path) -> Survey:
    """Read what `save` kept."""
    with np.load(path, allow_pickle=False) as kept:
        rows, last, heard = (int(number) for number in kept["numbers"])
        return Survey(rows, None if last < 0 else EPOCH + timedelta(microseconds=last), bool(heard), kept["met"])
