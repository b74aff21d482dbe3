"""From strength to a rate of alerts: the last calibration, in the unit that an operator budgets.

Strange windows come in runs, and a run is one alert, so windows are no independent sample of what an analyst has to
read. Above the level that one window in ten reaches, the rate is therefore counted in blocks of six hours of one
workload, and beyond the strongest part of the blocks it falls on in a straight line on the log scale. The line follows
the many blocks before it and not the few beyond: these are too few to count, and some may be attacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import ArtefactError

BLOCK = "6h"
ORDINARY = 0.9
LEVELS = np.linspace(0.0, ORDINARY, 46)
TAIL = 0.15  # share of blocks beyond which the line is drawn
FOLLOWED = 0.3  # share of blocks whose excess the line follows
CENSORED = 0.2  # of these the strongest, of which only is known that they lie beyond: room for real attacks
FEWEST = 4  # blocks beyond which the line is drawn
LEAST_SLOPE, MOST_SLOPE = 0.05, 4.0  # bits per unit of strength


@dataclass(frozen=True, eq=False)
class AlertRate:
    """Surprise in bits of a strength, and the bits that a budget of alerts allows.

    Parameters
    ----------
    knots, knot_bits
        Strengths, ascending, and their bits.
    slope
        Bits per unit of strength beyond the last knot.
    ordinary_bits
        Bits at the level from which blocks are counted.
    blocks_a_day
        Blocks a day that reach that level.
    """

    knots: NDArray[np.float64]
    knot_bits: NDArray[np.float64]
    slope: float
    ordinary_bits: float
    blocks_a_day: float

    @classmethod
    def fit(cls, keys: pl.DataFrame, strength: NDArray[np.float64], share: float = 1.0) -> Self:
        """Learn from held-out windows.

        Parameters
        ----------
        keys
            `workload, window_start` of n windows.
        strength
            Shape (n,), finite.
        share
            Share of the fleet's workloads that these are of: alerts of the others are counted as theirs are.
        """
        levels, first = np.unique(np.quantile(strength, LEVELS), return_index=True)
        bits = -np.log2(1 - LEVELS[first])
        ordinary = levels[-1]
        blocks = (
            keys.select("workload", pl.col("window_start").dt.truncate(BLOCK).alias("block"))
            .with_columns(pl.Series("strength", strength))
            .group_by("workload", "block")
            .agg(pl.col("strength").max())
        )
        days = max(blocks["block"].n_unique() / 4, 0.25) * share
        strongest = np.sort(blocks["strength"].to_numpy())[::-1]
        reached = strongest[strongest > ordinary]
        beyond = max(FEWEST, round(TAIL * len(blocks)))
        if len(reached) <= 2 * FEWEST:
            slope = (bits[-1] + 1) / max(ordinary - levels[0], 1.0)
            return cls(levels, bits, float(slope), float(bits[-1]), max(len(reached), 1) / days)
        counts = np.unique(np.geomspace(min(beyond, len(reached)), len(reached), 24).round().astype(int))[::-1]
        above, index = np.unique(reached[counts - 1], return_index=True)
        above_bits = bits[-1] + np.log2(len(reached) / counts[index])
        slope = np.clip(1 / (_mean_excess(strongest) * np.log(2)), LEAST_SLOPE, MOST_SLOPE)
        return cls(
            np.concatenate([levels, above]),
            np.concatenate([bits, above_bits]),
            float(slope),
            float(bits[-1]),
            len(reached) / days,
        )

    def bits(self, strength: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the surprise of each strength, shape (n,); at least 0, unbounded, monotone."""
        inside = np.interp(strength, self.knots, self.knot_bits)
        beyond = self.slope * np.maximum(strength - self.knots[-1], 0.0)
        return np.asarray(inside + beyond, dtype=np.float64)

    def threshold(self, alerts_a_day: float) -> float:
        """Give the bits that so many alerts a day are expected to reach; at least 1."""
        return float(max(self.ordinary_bits + np.log2(self.blocks_a_day / alerts_a_day), 1.0))

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers for `from_json`."""
        return {
            "knots": self.knots.tolist(),
            "knot_bits": self.knot_bits.tolist(),
            "slope": self.slope,
            "ordinary_bits": self.ordinary_bits,
            "blocks_a_day": self.blocks_a_day,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `to_json` described.

        Raises
        ------
        ArtefactError
            The description is incomplete or its numbers make no rate.
        """
        try:
            knots, bits = (np.array(stored[name], np.float64) for name in ("knots", "knot_bits"))
            slope, ordinary, blocks = (float(stored[name]) for name in ("slope", "ordinary_bits", "blocks_a_day"))
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise ArtefactError(f"alert rate cannot be read ({error!r}); train again") from error
        rising = knots.ndim == 1 and knots.size and knots.shape == bits.shape and (np.diff(knots) > 0).all()
        finite = np.isfinite([*knots, *bits, slope, ordinary, blocks]).all()
        if not (rising and finite and (np.diff(bits) >= 0).all() and bits[0] >= 0 and slope > 0 and blocks > 0):
            raise ArtefactError("alert rate is not monotone, finite and positive; train again")
        return cls(knots, bits, slope, ordinary, blocks)


def _mean_excess(strongest: NDArray[np.float64]) -> float:
    """Return by how much descending strengths exceed the level that `FOLLOWED` of them reach, in the mean.

    Maximum likelihood for an exponential tail of which the largest are censored: the excess, cut where it is censored,
    over the number of those that are not.
    """
    count = max(int(FOLLOWED * len(strongest)), 2 * FEWEST)
    excess = strongest[:count] - strongest[min(count, len(strongest) - 1)]
    censored = max(int(CENSORED * count), 1)
    return max(float(np.minimum(excess, excess[censored]).sum()) / (len(excess) - censored), 1e-9)
