"""How far each feature's evidence may be believed, measured on windows its baseline had not seen."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtefactError

CLAIMS = np.array([0.0, 3.0, 4.5, 6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0, 30.0, 40.0, 60.0, 100.0])
TELLING = 3  # windows that must reach a claim before they speak against it
LEAST_SLOPE = 0.1


@dataclass(frozen=True, eq=False)
class Trust:
    """Curves from claimed to believed bits, one per feature.

    Evidence of b bits claims that one window in 2**b shows as much. Where windows that nobody calls strange show it
    more often, it is worth only the bits that they show: at each of `CLAIMS` the believed bits are the smaller of the
    claim and of what was observed. Beyond the last claim that enough windows reached, belief rises as steeply as up to
    there.

    Parameters
    ----------
    believed
        Shape (features, claims), at `CLAIMS`; rising in each row.
    """

    believed: NDArray[np.float64]

    @classmethod
    def measure(cls, bits: NDArray[np.float64]) -> Self:
        """Learn from the evidence of held-out windows, shape (n, features)."""
        windows, features = bits.shape
        believed = np.tile(CLAIMS, (features, 1))
        for feature in range(features):
            ordered = np.sort(bits[:, feature])
            reached = windows - np.searchsorted(ordered, CLAIMS[1:])
            observed = -np.log2((reached + 0.5) / (windows + 1))
            told = int(np.count_nonzero(reached >= TELLING))
            curve = np.minimum(observed[:told], CLAIMS[1 : told + 1])
            believed[feature, 1 : told + 1] = np.maximum.accumulate(curve)
            if told:
                last = believed[feature, told]
                slope = max(last / CLAIMS[told], LEAST_SLOPE)
                believed[feature, told + 1 :] = last + slope * (CLAIMS[told + 1 :] - CLAIMS[told])
        return cls(believed)

    def apply(self, bits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the believed bits of evidence, shape (n, features); rising with the claim, never above it."""
        believed = np.zeros_like(bits)
        for feature in np.flatnonzero(bits.any(axis=0)).tolist():
            believed[:, feature] = self.column(feature, bits[:, feature])
        return believed

    def column(self, feature: int, bits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the believed bits of one feature's evidence, shape (n,)."""
        curve = self.believed[feature]
        slope = (curve[-1] - curve[-2]) / (CLAIMS[-1] - CLAIMS[-2])
        beyond = slope * np.maximum(bits - CLAIMS[-1], 0.0)
        return np.asarray(np.interp(bits, CLAIMS, curve) + beyond, dtype=np.float64)

    @classmethod
    def from_array(cls, believed: NDArray[np.float64], features: int) -> Self:
        """Check a stored array.

        Raises
        ------
        ArtefactError
            If it is not of this shape, finite and rising from 0 to at most the claims.
        """
        believed = np.asarray(believed, dtype=np.float64)
        fits = believed.shape == (features, len(CLAIMS)) and np.isfinite(believed).all()
        if not (
            fits and (np.diff(believed, axis=1) >= 0).all() and (believed >= 0).all() and (believed <= CLAIMS).all()
        ):
            raise ArtefactError("trust: not a rising curve per feature; train again")
        return cls(believed)
