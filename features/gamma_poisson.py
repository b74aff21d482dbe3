"""Rates of rare events under a Gamma prior whose shape is fitted: how much members of a group differ is learnt too.

Counts are Poisson with a rate of each member's own, and rates are Gamma distributed around the group's mean: the counts
are negative binomial. A small shape says that members differ much, so that one without events has a low rate; a large
one says that they are alike, so that one without events was merely lucky.
"""

from math import lgamma

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHAPES = np.geomspace(0.02, 50.0, 25)
# What is believed of a shape before an event was seen, on the log scale: one half, give or take a factor of seven.
USUAL, SPREAD = np.log(0.5), 2.0
LEAST_MEAN = 1e-12


def fit_shape(events: ArrayLike, exposure: ArrayLike, mean: ArrayLike) -> float:
    """Find the most likely shape.

    Parameters
    ----------
    events
        Counts of the members, shape (n,).
    exposure
        Windows in which each was counted.
    mean
        Expected rate of each member per window, before its own events are looked at.

    Returns
    -------
    The shape among `SHAPES` with the largest posterior, 0.02 to 50.
    """
    distinct, place = np.unique(np.asarray(events, np.int64), return_inverse=True)  # few: most have no event at all
    log_gamma = np.array([[lgamma(count + shape) - lgamma(shape) for shape in SHAPES] for count in distinct.tolist()])
    counts = distinct[place].astype(np.float64)[:, None]
    expected = np.maximum(np.asarray(exposure, np.float64) * np.asarray(mean, np.float64), LEAST_MEAN)[:, None]
    likelihood = (
        log_gamma[place]
        + SHAPES * np.log(SHAPES / (SHAPES + expected))
        + counts * np.log(expected / (SHAPES + expected))
    ).sum(axis=0)
    return float(SHAPES[np.argmax(likelihood - ((np.log(SHAPES) - USUAL) / SPREAD) ** 2 / 2)])


def posterior_mean(
    events: NDArray[np.float64], exposure: NDArray[np.float64], mean: NDArray[np.float64], shape: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the expected rate of each member after its own events, per window, at most 1."""
    rate: NDArray[np.float64] = (events + shape) / (exposure + shape / np.maximum(mean, LEAST_MEAN))
    return np.minimum(rate, 1.0)
