"""Made-up estates of the development split, as evidence: what was held out while learning, and what was watched."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.peers.outliers import isolation_forest
from features.evidence import Normal, weigh
from features.extraction import closed_until, extract_days
from features.windows import merge_windows
from models.held_out import HeldOut, steps
from models.learning import Guarded, InMemory, Learnt, learn_in_steps
from models.quarantine import Guard
from models.rolling import rolling_max
from models.trust import Trust
from service.emulation.estate.__main__ import run
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.world import Options
from service.emulation.labels import Labels, read_labels
from service.emulation.splits import Purpose, Split
from service.jobs.validate import BY_TURNS, START, ingested

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Part:
    """Windows and their evidence, (n, features): as claimed, as believed, and as believed of the window alone.

    The first two are the largest of the hour that a window ends.
    """

    keys: pl.DataFrame
    claimed: Matrix
    believed: Matrix
    alone: Matrix

    @classmethod
    def of(cls, keys: pl.DataFrame, bits: Matrix, trust: Trust) -> Self:
        """Believe evidence, and look back an hour."""
        alone = trust.apply(bits)
        return cls(keys, rolling_max(keys, bits)[0], rolling_max(keys, alone)[0], alone)

    @property
    def cohorts(self) -> NDArray[np.str_]:
        """Cohort of each window."""
        return self.keys["cohort"].to_numpy()


@dataclass(frozen=True, eq=False)
class Estate:
    """An estate with its ground truth; `peer` is what a default forest on raw values says of the watched windows."""

    labels: Labels
    held_out: Part
    watched: Part
    peer: Matrix


def estates(seeds: Iterable[int], workloads: int, flows: int) -> Iterator[Estate]:
    """Write, learn and weigh one estate a seed."""
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            run(
                Options(out, parse_iso(START), 9, 7, workloads, flows, seed, split=Split.DEVELOPMENT, variants=BY_TURNS)
            )
            yield read(out)


def read(folder: Path) -> Estate:
    """Learn the first days of an estate, and weigh the others."""
    labels = read_labels(folder, Purpose.TUNING)
    lake, watch = ingested(folder, lambda _step, _share: None), datetime.fromisoformat(labels.watch)
    until = closed_until(lake)
    if until is None:
        raise SystemExit("the estate is empty")
    learnt = merge_windows(list(extract_days(lake, datetime.fromisoformat(START), watch)))
    watched = merge_windows(list(extract_days(lake, watch, until)))
    since = learnt.values.select(pl.col("window_start").min()).item()
    source = InMemory(learnt)
    guarded = Guarded(source, since, watch, Guard(lasting=timedelta(0)))
    taught = learn_in_steps(source, steps(since, watch), Learnt.nothing(since), guarded)
    held = HeldOut.concat([kept() for kept in taught.held_out])
    seen = weigh(watched, Normal.of(taught.baseline))
    trust = Trust.measure(held.bits)
    return Estate(
        labels,
        Part.of(held.keys, held.bits, trust),
        Part.of(seen.keys, seen.bits, trust),
        isolation_forest(learnt, watched),
    )
