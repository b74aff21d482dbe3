"""How regular a sequence of connections is: the mark of a program that calls home."""

import numpy as np
from numpy.typing import NDArray

MIN_GAPS = 11
GAPS = 24
REGULAR = 0.6


def regularity(times: NDArray[np.float64], gaps: int = GAPS) -> NDArray[np.float64]:
    """Score how regular the latest connections of one edge are, at each of them.

    The score is one minus the robust spread of the latest gaps, `1 - (Q3 - Q1) / (Q3 + Q1)`: the quartile coefficient
    of dispersion, which a missed check-in or a burst does not move. Equal gaps give 1, uniform jitter of 50 % about
    0.75, a Poisson process about 0.34.

    Parameters
    ----------
    times
        Connection times in seconds, ascending, shape (n,).
    gaps
        How many of the latest gaps count; with fewer than `MIN_GAPS` there is no score.

    Returns
    -------
    Scores in [0, 1], shape (n,); NaN where there is too little to judge.

    Examples
    --------
    >>> float(regularity(np.arange(0.0, 6000.0, 60.0))[-1])
    1.0
    """
    scores = np.full(len(times), np.nan)
    deltas = np.diff(times)
    for width in (MIN_GAPS, gaps):
        if len(deltas) < width:
            break
        q1, q3 = np.quantile(np.lib.stride_tricks.sliding_window_view(deltas, width), [0.25, 0.75], axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            scores[width:] = np.where(q3 + q1 > 0, 1 - (q3 - q1) / (q3 + q1), np.nan)
    return scores
