"""The two channels from evidence to a surprise: forests, and a sum, each read as a rate of windows, then of alerts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.evidence import Evidence
from models.aggregates import aggregate
from models.alert_rate import AlertRate
from models.calibration import TailCalibration
from models.cohort_forests import CohortForests
from models.rolling import rolling_max
from models.scores import SEVERITIES, Severity
from models.trust import Trust

CHANNELS = ("forest", "sum")


def strength(
    vectors: NDArray[np.float64],
    cohorts: NDArray[np.str_],
    forests: CohortForests,
    calibrations: dict[str, TailCalibration],
) -> NDArray[np.float64]:
    """Give the strength of windows: the mean of two calibrated tails in bits, shape (n,).

    One channel is the score of the cohort's forest, the other the strongest evidence plus half of the second strongest.
    What else was tried: `docs/adr/0015-forests-of-cohorts-and-the-mean-of-two-tails.md`.
    """
    by_forest = calibrations["forest"].bits(forests.score(vectors, cohorts), cohorts)
    by_sum = calibrations["sum"].bits(summed(vectors), cohorts)
    return np.asarray((by_forest + by_sum) / 2, dtype=np.float64)


def summed(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the strongest evidence plus half of the second strongest, shape (n,), from `aggregate` vectors."""
    return np.asarray(vectors[:, 0] + vectors[:, 1] / 2, dtype=np.float64)


@dataclass(frozen=True)
class Channels:
    """The two channels and how they are read.

    Parameters
    ----------
    trust
        How far each feature is believed.
    forests
        Fitted over `models.aggregates.aggregate` vectors.
    calibrations
        By name of `CHANNELS`: of the forests' score, and of the summed evidence.
    alert_rate
        What the strength of the two together is worth.
    thresholds
        Bits from which a window has a severity.
    """

    trust: Trust
    forests: CohortForests
    calibrations: dict[str, TailCalibration]
    alert_rate: AlertRate
    thresholds: dict[Severity, float]

    def recent(self, evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Give what is believed of each window with the hour that it ends, and which row that is from.

        Both of shape (n, features), see `models.rolling.rolling_max`.
        """
        return rolling_max(evidence.keys, self.trust.apply(evidence.bits))

    def bits(self, evidence: Evidence) -> NDArray[np.float64]:
        """Give the calibrated surprise of each window with the hour that it ends, shape (n,)."""
        return self.surprise(self.recent(evidence)[0], evidence.keys["cohort"].to_numpy())

    def surprise(self, believed: NDArray[np.float64], cohorts: NDArray[np.str_]) -> NDArray[np.float64]:
        """Give the calibrated surprise of rows of believed evidence, (n, features) to (n,)."""
        return self.alert_rate.bits(strength(aggregate(believed), cohorts, self.forests, self.calibrations))

    def severity(self, bits: float) -> Severity:
        """Name the severity of a window's bits."""
        reached: Severity = "none"
        for name in SEVERITIES[1:]:
            if bits >= self.thresholds[name]:
                reached = name
        return reached
