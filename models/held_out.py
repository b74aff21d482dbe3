"""Evidence of windows against baselines that had not seen them: what forests and calibrations are fitted on."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.evidence import Evidence
from features.extraction import floor_day
from features.partition import bucket_of
from features.windows import KEY, floor_window

DAY = timedelta(days=1)
FEWEST_DAYS = 3  # whole days in the later half of a span from which each is a step
FOLDS = (0.5, 0.67, 0.83, 1.0)

MOST_A_STEP = 50_000  # windows that a model is fitted on, those of some 350 workloads a day

Step = tuple[datetime, datetime]


@dataclass(frozen=True)
class HeldOut:
    """Evidence of n windows.

    Parameters
    ----------
    keys
        `workload, window_start, cohort, image_repository`.
    bits
        Shape (n, features), in the order of `features.protocols.specs`.
    share
        Share of all workloads that these are of, 1 or a power of a half.
    """

    keys: pl.DataFrame
    bits: NDArray[np.float64]
    share: float = 1.0

    @classmethod
    def of(cls, evidence: Evidence) -> "HeldOut":
        """Keep the figures of evidence, and not what it stands on, which is large."""
        return cls(evidence.keys, evidence.bits)

    @classmethod
    def concat(cls, parts: list["HeldOut"]) -> "HeldOut":
        """Join parts of one span, in the order given: of the workloads that all parts are of."""
        share = min(part.share for part in parts)
        parts = [part.of_share(share) for part in parts]
        return cls(pl.concat([part.keys for part in parts]), np.vstack([part.bits for part in parts]), share)

    def thinned(self, most: int = MOST_A_STEP) -> "HeldOut":
        """Keep whole workloads, half of them again and again until there are at most so many windows."""
        found = self
        while len(found.keys) > most:
            found = found.of_share(found.share / 2)
        return found

    def of_share(self, share: float) -> "HeldOut":
        """Keep a share of the workloads, the same ones each time and part of those of any larger share."""
        if share >= self.share:
            return self
        kept = bucket_of("workload", round(1 / share)) == 0
        return replace(self.where(self.keys.select(kept).to_series().to_numpy()), share=share)

    def in_order(self) -> "HeldOut":
        """Sort by workload and time: the same however the windows were parted."""
        rows = self.keys.select(pl.struct(KEY).arg_sort()).to_series()
        return self if rows.is_sorted() else replace(self, keys=self.keys[rows], bits=self.bits[rows.to_numpy()])

    @property
    def cohorts(self) -> NDArray[np.str_]:
        """Cohort of each window."""
        return self.keys["cohort"].to_numpy()

    def where(self, kept: NDArray[np.bool_]) -> "HeldOut":
        """Keep some of the windows, shape (n,)."""
        return replace(self, keys=self.keys.filter(pl.Series(kept)), bits=self.bits[kept])

    def evidence(self) -> Evidence:
        """Give the figures as evidence that does not say what it stands on."""
        return Evidence(self.keys, self.bits, pl.DataFrame(), pl.DataFrame())


def steps(since: datetime, until: datetime) -> list[Step]:
    """Part the later half of a span into steps, each to be weighed against all that came before it.

    Days in UTC, as refreshes come, if there are enough of them; else shares of the span. The first half is learnt
    without being weighed: in it everything is new.
    """
    return daily_steps(since, until) or list(pairwise(floor_window(since + (until - since) * share) for share in FOLDS))


def daily_steps(since: datetime, until: datetime) -> list[Step]:
    """Give the days of the later half of a span; none if they are fewer than `FEWEST_DAYS`."""
    middle = since + (until - since) / 2
    start = floor_day(middle)
    days = days_between(start if start == middle else start + DAY, until)
    return days if len(days) >= FEWEST_DAYS else []


def days_between(since: datetime, until: datetime) -> list[Step]:
    """Part a span at each midnight in UTC."""
    found: list[Step] = []
    while since < until:
        found.append((since, min(floor_day(since) + DAY, until)))
        since = found[-1][1]
    return found
