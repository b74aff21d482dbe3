"""The beacon score of RITA's form, per edge and day.

From RITA v5, `analysis/beacons.go`: the mean of four scores between 0 and 1. Timing and sizes: (Bowley + MAD) / 2, of
the gaps that are not zero and of the bytes sent. Histogram: how even, or how two-levelled, the 24 hours are. Duration:
how much of the day is covered. An edge needs four distinct times; the strongest edge of a workload is the number of
every window of that day in which the edge was used.
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.extraction import SHARED, closed_until, read_leases
from features.lake import Lake
from features.leases import attribute
from features.windows import KEY, Windows, window_start

LEAST_TIMES = 4
LEAST_GAPS = 3
HOURS = 24


def spread_score(values: NDArray[np.float64], least: float) -> float:
    """Give the mean of one minus the Bowley skewness and of one minus the relative median deviation."""
    q1, q2, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    skew = 0.0 if q3 - q1 < least or q2 in {q1, q3} else (q1 + q3 - 2 * q2) / (q3 - q1)
    mad = 1.0 if q2 < 1 else max(0.0, (q2 - np.median(np.abs(values - q2))) / q2)
    return float((1 - abs(skew) + mad) / 2)


def histogram_score(hours: NDArray[np.int64]) -> float:
    """Give how even the counts of 24 hours are, or how well two levels explain them."""
    deviation = hours.std() / hours.mean() if hours.mean() else 1.0
    even = max(0.0, 1 - deviation)
    seen = int((hours > 0).sum())
    if seen < 11:
        return even
    width = max(1, int(np.ceil(hours.max() * 0.05)))
    levels = np.sort(np.bincount(hours[hours > 0] // width))[::-1]
    return max(even, min(1.0, float(levels[:2].sum()) / max(seen - 1, 1)))


def duration_score(hours: NDArray[np.int64]) -> float:
    """Give how much of the day is covered, or how long the longest run of hours is."""
    used = np.flatnonzero(hours)
    if len(used) < 6:
        return 0.0
    cover = (used[-1] - used[0] + 1) / HOURS
    longest = max(len(run) for run in np.split(used, np.flatnonzero(np.diff(used) > 1) + 1))
    return float(min(1.0, max(cover, longest / 12)))


def edge_score(times: NDArray[np.float64], sent: NDArray[np.float64], since: float) -> float:
    """Score one edge's connections of a day, times in seconds; 0 where there are too few."""
    gaps = np.diff(times)
    gaps = gaps[gaps > 0]
    if len(np.unique(times)) < LEAST_TIMES or len(gaps) < LEAST_GAPS:
        return 0.0
    hours = np.bincount(((times - since) // 3600).astype(int).clip(0, HOURS - 1), minlength=HOURS)
    parts = (spread_score(gaps, 10), spread_score(sent, 10), histogram_score(hours), duration_score(hours))
    return float(np.mean(parts))


def scores(lake: Lake, watched: Windows, watch: datetime) -> NDArray[np.float64]:
    """Score the watched windows, shape (windows,)."""
    until = closed_until(lake)
    if until is None:
        return np.zeros(len(watched.values))
    leases, found, day = read_leases(lake, until), [], watch
    while day < until:
        end = min(day + timedelta(days=1), until)
        columns = (*SHARED, "dst_port", "bytes_out")
        flows = attribute(lake.read(since=day, until=end, kinds=("flow",), columns=columns), leases)
        flows = flows.filter(pl.col("external") & pl.col("workload").is_not_null()).sort("ts")
        for _, edge in flows.group_by("workload", "dst_ip", "dst_port", maintain_order=True):
            times = edge["ts"].dt.epoch("us").to_numpy() / 1e6
            score = edge_score(times, edge["bytes_out"].fill_null(0).to_numpy().astype(float), day.timestamp())
            if score > 0:
                found.append(
                    edge.select("workload", window_start()).unique().with_columns(pl.lit(score).alias("score"))
                )
        day = end
    keys = watched.values.select(KEY)
    if not found:
        return np.zeros(len(keys))
    strongest = pl.concat(found).group_by(KEY).agg(pl.col("score").max())
    joined = keys.join(strongest, on=list(KEY), how="left", maintain_order="left")
    return joined["score"].fill_null(0).to_numpy().astype(np.float64)
