"""How regular a sequence of connections is: the mark of a program that calls home."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import bdtrc, betaincinv

from features.windows import KEY, TRAILING

Floats = NDArray[np.float64]

GAPS = (4, 8, 16, 32, 48)  # how many of the latest gaps are looked at; the most regular of these views speaks
DEAD_TIMES = (0.0, 10.0)  # seconds after a call in which further calls belong to it
LATEST = GAPS[-1] + 1  # calls that these gaps lie between
TRIES = len(GAPS) * len(DEAD_TIMES)
_RATIOS = np.geomspace(1e-3, 10.0, 160)  # of the quartiles, less one
_NODES = 200


def strength(times: Floats, at: Floats) -> Floats:
    """Say how unlikely it is that chance keeps the latest calls of one edge as even as they are, at some moments.

    Chance is a Poisson process: that of many people, or of a program driven by them. What is compared is the ratio of
    the quartiles of the latest gaps, which a missed check-in, a burst or jitter does not move far. Connections that
    come within a dead time of a call belong to it, so that a check-in may be several; the dead time is taken off the
    gaps, after which those of a Poisson process are exponential again. The bits of the best view are
    lowered by those of having looked at several (Bonferroni).

    Parameters
    ----------
    times
        Connection times in seconds, ascending, shape (n,).
    at
        Moments in seconds, shape (m,): judged is what came up to each of them, within `TRAILING`.

    Returns
    -------
    Bits, shape (m,), at least 0.

    Examples
    --------
    >>> minutes = 60.0 * np.arange(100)
    >>> bool(strength(minutes, minutes[-1:])[0] > 50)
    True
    """
    latest = []
    for dead in DEAD_TIMES:
        calls = np.concatenate([np.full(LATEST, np.nan), thinned(times, dead)])
        last = np.searchsorted(calls[LATEST:], at, side="right")
        latest.append(np.lib.stride_tricks.sliding_window_view(calls, LATEST)[last])
    return judge(latest, at)


def judge(latest: Sequence[Floats], at: Floats) -> Floats:
    """Give `strength` at some moments, of whatever edges, from the latest calls before each.

    Parameters
    ----------
    latest
        For each of `DEAD_TIMES` the calls so thinned, in seconds, ascending, shape (m, `LATEST`), filled up with NaN
        from the left.
    at
        Moments in seconds, shape (m,).

    Returns
    -------
    Bits, shape (m,), at least 0.
    """
    found = np.zeros(len(at))
    for dead, calls in zip(DEAD_TIMES, latest, strict=True):
        gaps = np.diff(calls, axis=1) - dead
        for width in GAPS:
            seen = np.flatnonzero(at - calls[:, -1 - width] <= TRAILING.total_seconds())
            if len(seen):
                found[seen] = np.maximum(found[seen], _bits(gaps[seen, -width:]))
    return np.asarray(np.maximum(found - np.log2(TRIES), 0.0), dtype=np.float64)


def strengths(flows: pl.DataFrame) -> pl.DataFrame:
    """Judge the calls of every edge at its last call in each window.

    Parameters
    ----------
    flows
        `features.flows.outbound`, or part of it.

    Returns
    -------
    `workload, window_start, edge, strength` (bits), one row per edge and window with calls; edges too seldom called
    to be judged are left out.
    """
    calls = flows.select(*KEY, "edge", (pl.col("ts").dt.epoch("us") / 1e6).alias("second"))
    calls = calls.filter(pl.len().over("workload", "edge") > GAPS[0]).sort("workload", "edge", "second")
    last = calls.group_by(*KEY, "edge", maintain_order=True).agg(pl.col("second").last())
    found = [np.zeros(0)]
    for own, moments in zip(_edges(calls), _edges(last), strict=True):
        found.append(strength(own["second"].to_numpy(), moments["second"].to_numpy()))
    return last.select(*KEY, "edge", pl.Series("strength", np.concatenate(found)))


def _edges(calls: pl.DataFrame) -> list[pl.DataFrame]:
    return calls.partition_by("workload", "edge", maintain_order=True)


def thinned(times: Floats, dead: float) -> Floats:
    """Keep the calls, in ascending seconds, that do not come within `dead` seconds of one that is kept."""
    if not dead or not len(times):
        return times
    following = np.searchsorted(times, times + dead).tolist()
    kept, call = [], 0
    while call < len(times):
        kept.append(call)
        call = following[call]
    return times[kept]


def _quartiles(gaps: int) -> tuple[int, int]:
    return max(round(gaps / 4), 1), round(3 * gaps / 4)


def _bits(views: Floats) -> Floats:
    low, high = _quartiles(views.shape[1])
    ordered = np.partition(views, (low - 1, high - 1), axis=1)
    near, far = ordered[:, low - 1], ordered[:, high - 1]
    ratio = np.full(len(views), np.inf)
    np.divide(far, near, out=ratio, where=near > 0)
    excess = np.log(np.maximum(ratio - 1, _RATIOS[0]))
    return np.asarray(np.interp(excess, np.log(_RATIOS), _chance(views.shape[1]), right=0.0), dtype=np.float64)


@cache
def _chance(gaps: int) -> Floats:
    """Tabulate the bits of quartiles as near as `_RATIOS` among exponential gaps.

    Of n gaps let x be the i-th smallest, whose distribution function is that of Beta(i, n - i + 1). What the others
    exceed it by is exponential again, so the j-th is within a ratio r of it if at least j - i of n - i lie below
    (r - 1) x: a binomial tail, averaged over x.
    """
    low, high = _quartiles(gaps)
    middles = (np.arange(_NODES) + 0.5) / _NODES
    smallest = -np.log1p(-betaincinv(low, gaps - low + 1, middles))
    near = -np.expm1(-_RATIOS * smallest[:, None])
    return np.asarray(-np.log2(bdtrc(high - low - 1, gaps - low, near).mean(axis=0)), dtype=np.float64)
