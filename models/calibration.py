"""Turn anomaly scores into rates: how rare is a score like this, in bits.

Plain conformal p-values stop at 1 / (n + 1) and go blind on dirty data, so the tail is extrapolated: scores are
standardised per cohort, pooled, and beyond their 98 % quantile the logarithm of the tail probability falls in a line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtefactError

TAIL = 0.98
LEVELS = np.append(np.arange(0.0, 0.97, 0.01), [0.97, TAIL])
FULL_COHORT = 500  # windows; ten of them lie beyond the 98 % quantile
SMALL = 50  # windows; fewer say nothing about a tail
MOST_DROPPED = 0.01
EXPECTED_BEYOND = 0.3
ROUNDS = 20
LEAST_SCALE = 1.0  # noisy cohorts are damped; quiet ones are not amplified, their evidence is already their own
LEAST_SLOPE = 1 / 3
LEAST_SPREAD = 1e-12  # below this all scores are one score


class Standard(NamedTuple):
    """Median of a cohort's scores, and the distance from it to their 98 % quantile."""

    location: float
    scale: float


@dataclass(frozen=True, eq=False)
class TailCalibration:
    """Tail probability of a score within its cohort.

    Attributes
    ----------
    knots
        Standardised scores, ascending.
    knot_bits
        `-log2` of the tail probability at the knots.
    slope
        Bits per standardised unit beyond the last knot.
    fleet
        Standard of all scores together, for unknown cohorts.
    cohorts
        Standard of each cohort.

    Notes
    -----
    The realised rate depends on the tail's shape: exact for exponential tails, fewer alerts than promised for lighter
    ones (normal, forest scores), up to three times as many for heavier ones (log-normal).
    """

    knots: NDArray[np.float64]
    knot_bits: NDArray[np.float64]
    slope: float
    fleet: Standard
    cohorts: Mapping[str, Standard]

    @classmethod
    def fit(cls, scores: NDArray[np.float64], cohorts: NDArray[np.str_]) -> Self:
        """Learn the tail of `scores`, (n,), each from the cohort beside it.

        A cohort of few windows is shrunk towards the fleet: with n windows its own standard weighs `n / 500`, at most
        1. Up to 1 % of the scores are dropped where they lie far beyond the tail that the others draw. With fewer than
        50 scores the line runs from the median through the largest at `log2(n + 1)` bits. Where all scores are equal,
        one unit beyond them counts as the distance from the median to the 98 % quantile.

        Raises
        ------
        ValueError
            There are no scores, not as many cohorts as scores, or a score is not finite.
        """
        scores = np.asarray(scores, np.float64)
        if scores.ndim != 1 or not scores.size or scores.shape != np.shape(cohorts):
            raise ValueError(f"expected as many scores as cohorts, got {scores.shape} and {np.shape(cohorts)}")
        if not np.isfinite(scores).all():
            raise ValueError("scores to calibrate on must be finite")
        fleet = _standard(scores, None)
        names, members = np.unique(np.asarray(cohorts, np.str_), return_inverse=True)
        standards = {str(name): _standard(scores[members == i], fleet) for i, name in enumerate(names)}
        pooled = np.sort(_standardise(scores, np.asarray(cohorts, np.str_), standards, fleet))
        knots, bits, slope = _small_tail(pooled) if pooled.size < SMALL else _tail(_clean(pooled))
        return cls(knots, bits, slope, fleet, standards)

    def bits(self, scores: NDArray[np.float64], cohorts: NDArray[np.str_]) -> NDArray[np.float64]:
        """Return `-log2` of the tail probability of each score in its cohort, (n,), at least 0 and unbounded.

        Raises
        ------
        ValueError
            A score is NaN.
        """
        scores = np.asarray(scores, np.float64)
        if np.isnan(scores).any():
            raise ValueError("a score is NaN")
        z = _standardise(scores, np.asarray(cohorts, np.str_), self.cohorts, self.fleet)
        inside = np.interp(z, self.knots, self.knot_bits)
        bits: NDArray[np.float64] = inside + self.slope * np.maximum(z - self.knots[-1], 0.0)
        return bits

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and numbers for `from_json`."""
        return {
            "knots": self.knots.tolist(),
            "knot_bits": self.knot_bits.tolist(),
            "slope": self.slope,
            "fleet": list(self.fleet),
            "cohorts": {name: list(standard) for name, standard in sorted(self.cohorts.items())},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the calibration that `to_json` described.

        Raises
        ------
        ArtefactError
            The description is incomplete or its numbers make no tail.
        """
        try:
            knots, bits = (np.array(stored[name], np.float64) for name in ("knots", "knot_bits"))
            slope = float(stored["slope"])
            fleet, *others = (Standard(*map(float, pair)) for pair in (stored["fleet"], *stored["cohorts"].values()))
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise ArtefactError(f"calibration cannot be read ({error!r}); train again") from error
        numbers = np.concatenate([knots.ravel(), bits.ravel(), [slope], np.ravel([fleet, *others])])
        ascending = (
            knots.ndim == bits.ndim == 1 and knots.size and (np.diff(knots) > 0).all() and (np.diff(bits) >= 0).all()
        )
        positive = slope > 0 and all(standard.scale > 0 for standard in (fleet, *others))
        if knots.shape != bits.shape or not (ascending and positive and np.isfinite(numbers).all() and bits[0] >= 0):
            raise ArtefactError(
                "calibration is not a tail: numbers must be finite, ascending and positive; train again"
            )
        return cls(knots, bits, slope, fleet, dict(zip(map(str, stored["cohorts"]), others, strict=True)))


def _standard(scores: NDArray[np.float64], fleet: Standard | None) -> Standard:
    location, high = np.quantile(scores, [0.5, TAIL]).tolist()
    scale = high - location
    if fleet is None:
        return Standard(location, scale if scale > max(abs(location) * 1e-9, LEAST_SPREAD) else 1.0)
    own = min(1.0, scores.size / FULL_COHORT)
    scale = max(own * scale + (1 - own) * fleet.scale, LEAST_SCALE * fleet.scale)
    return Standard(own * location + (1 - own) * fleet.location, scale)


def _standardise(
    scores: NDArray[np.float64], cohorts: NDArray[np.str_], standards: Mapping[str, Standard], fleet: Standard
) -> NDArray[np.float64]:
    names, members = np.unique(cohorts, return_inverse=True)
    chosen = np.array([standards.get(str(name), fleet) for name in names]).reshape(-1, 2)[members.reshape(scores.shape)]
    z: NDArray[np.float64] = (scores - chosen[..., 0]) / chosen[..., 1]
    return z


def _beta(z: NDArray[np.float64]) -> float:
    """Return the scale of the exponential tail of sorted scores, in nats.

    The lesser of two quantile slopes: where the top is dirty the lower one holds, where the tail is light the upper.
    """
    median, q90, q97, high, top = np.quantile(z, [0.5, 0.90, 0.97, TAIL, 0.995]).tolist()
    slopes = [(q97 - q90) / np.log(0.10 / 0.03), (top - high) / np.log(0.02 / 0.005)]
    least = LEAST_SLOPE * (high - median) / np.log(0.5 / 0.02)
    beta = max(min((slope for slope in slopes if slope > 0), default=0.0), least)
    return float(beta) if beta > LEAST_SPREAD else 1.0 / np.log(0.5 / 0.02)


def _clean(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drop the largest of sorted scores while they lie where the rest would put none, at most 1 %."""
    n = z.size
    fewest = n - int(n * MOST_DROPPED)
    for _ in range(ROUNDS):
        beyond = n * (1 - TAIL) * np.exp(np.minimum(np.quantile(z, TAIL) - z, 0.0) / _beta(z))
        kept = max(fewest, int(np.count_nonzero(beyond > EXPECTED_BEYOND)))
        if kept >= z.size:
            break
        z = z[:kept]
    return z


def _tail(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return knots, their bits and the slope beyond: empirical up to the 98 % quantile, then a straight line."""
    # of equal quantiles the first counts, because the tail includes scores as large as this one
    knots, first = np.unique(np.quantile(z, LEVELS), return_index=True)
    return knots, -np.log2(1 - LEVELS[first]), float(1 / (_beta(z) * np.log(2)))


def _small_tail(z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    median, largest = float(np.median(z)), float(z[-1])
    if largest - median <= LEAST_SPREAD:
        return np.array([median]), np.zeros(1), float(np.log2(0.5 / (1 - TAIL)))
    bits = np.array([0.0, np.log2(z.size + 1)])
    return np.array([median, largest]), bits, float(bits[1] / (largest - median))
