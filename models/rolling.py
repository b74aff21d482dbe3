"""What a workload showed within the last hour: one story seldom fits into one window.

A container is created in one window, looks around in the next and calls home in the third. Each alone is seen somewhere
in the fleet every day; all three within an hour hardly ever.
"""

from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.keyed_tables import Column
from features.windows import WINDOW

SPAN = 6  # windows, the present one included

_STEP = WINDOW // timedelta.resolution


def rolling_max(
    keys: pl.DataFrame, evidence: NDArray[np.float64], span: int = SPAN
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the largest evidence of each column within the last windows of the same workload.

    Parameters
    ----------
    keys
        `workload, window_start` of n distinct windows, in any order; windows without telemetry have no row.
    evidence
        Bits, shape (n, columns).
    span
        Windows looked at, the present one included; at least 1.

    Returns
    -------
    The largest, shape (n, columns), nowhere below `evidence`, and the row that each is from: the latest of equals.
    O(n log n + n x columns x span).
    """
    workload = Column.of(keys["workload"]).places
    number = keys["window_start"].cast(pl.Int64).to_numpy() // _STEP
    order = np.lexsort((number, workload))
    workload, number = workload[order], number[order]
    there = np.flatnonzero(evidence.any(axis=0))  # of most features nothing is met in a few windows
    ordered = evidence[np.ix_(order, there)]
    largest, source = ordered.copy(), np.repeat(order[:, None], len(there), axis=1)
    for lag in range(1, min(span, len(ordered))):
        later = lag + np.flatnonzero((workload[lag:] == workload[:-lag]) & (number[lag:] - number[:-lag] < span))
        earlier = ordered[later - lag]
        larger = earlier > largest[later]
        largest[later] = np.where(larger, earlier, largest[later])
        source[later] = np.where(larger, order[later - lag, None], source[later])
    whole, origin = evidence.copy(), np.repeat(np.arange(len(evidence))[:, None], evidence.shape[1], axis=1)
    whole[np.ix_(order, there)], origin[np.ix_(order, there)] = largest, source
    return whole, origin
