"""What would have been ordinary: the fewest reasons that must go for a window to fall below a severity.

Sets of reasons are tried by size, all of one size and all windows at once: a group of features counts by its strongest,
and the forest is not monotone in what it sees, so that taking the strongest reason first may take more than it needs.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Surprise = Callable[[NDArray[np.float64], NDArray[np.intp]], NDArray[np.float64]]
Found = tuple[tuple[int, ...], float]


def smallest(
    believed: NDArray[np.float64], reasons: Sequence[Sequence[int]], thresholds: NDArray[np.float64], surprise: Surprise
) -> list[Found | None]:
    """Find the smallest set of reasons without which each window stays below its threshold.

    Parameters
    ----------
    believed
        Evidence of n windows in bits, shape (n, features).
    reasons
        Columns of each window that may be set to nothing; few, for all their sets may be tried.
    thresholds
        Bits that must not be reached, shape (n,).
    surprise
        Bits of rows of evidence, (m, features), given the window that each stems from, (m,).

    Returns
    -------
    The columns of each window, in the order of its reasons, and its bits without them, the lowest of all sets of that
    size; None where a window reaches its threshold without any of its reasons.
    """
    found: list[Found | None] = [None] * len(believed)
    for size in range(1, max(map(len, reasons), default=0) + 1):
        tried = [
            (window, chosen)
            for window, columns in enumerate(reasons)
            if found[window] is None
            for chosen in combinations(columns, size)
        ]
        if not tried:
            continue
        owners = np.array([window for window, _ in tried])
        rows = believed[owners]
        np.put_along_axis(rows, np.array([chosen for _, chosen in tried]), 0.0, axis=1)
        for (window, chosen), left in zip(tried, surprise(rows, owners).tolist(), strict=True):
            best = found[window]
            if left < thresholds[window] and (best is None or left < best[1]):
                found[window] = (chosen, left)
    return found
