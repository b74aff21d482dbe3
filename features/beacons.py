"""How regular a sequence of connections is: the mark of a program that calls home."""

from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import bdtrc, betaincinv

from features.windows import KEY, TRAILING, window_start

Floats = NDArray[np.float64]
Micros = NDArray[np.int64]

GAPS = (4, 8, 16, 32, 48)  # how many of the latest gaps are looked at; the most regular of these views speaks
SECOND = 1_000_000  # in microseconds, of which events have whole ones: gaps and dead times are exact
DEAD_TIMES = (0, 10 * SECOND)  # after a call, in which further calls belong to it
TRIES = len(GAPS) * len(DEAD_TIMES)
_DAY = int(TRAILING.total_seconds()) * SECOND
_RATIOS = np.geomspace(1e-3, 10.0, 160)  # of the quartiles, less one
_NODES = 200
_ROWS = 1 << 14  # of views sorted at once: what stays near the processor


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
        Connection times in seconds, ascending, shape (n,); they are taken to the microsecond.
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
    return _strength(np.rint(times * SECOND).astype(np.int64), np.rint(at * SECOND).astype(np.int64))


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
    calls = (
        flows.select("workload", "edge", "ts")
        .group_by("workload", "edge")
        .agg(pl.col("ts").sort())
        .filter(pl.col("ts").list.len() > GAPS[0])
        .with_row_index("number")
        .explode("ts", empty_as_null=True)
        .with_columns(window_start())
    )
    begins = pl.col("number").ne_missing(pl.col("number").shift())
    ends = pl.struct("number", "window_start").ne_missing(pl.struct("number", "window_start").shift(-1))
    # All edges are laid out on one line, so far apart that no day reaches from one to the next.
    step = pl.when(begins).then(_DAY + 1).otherwise(pl.col("ts").diff().dt.total_microseconds())
    calls = calls.with_columns(step.cum_sum().alias("line"), ends.alias("ends"))
    last = calls.filter("ends")
    bits = _strength(calls["line"].to_numpy(), last["line"].to_numpy())
    return last.select(*KEY, "edge", pl.Series("strength", bits))


def _strength(times: Micros, at: Micros) -> Floats:
    found = np.zeros(len(at))
    for dead in DEAD_TIMES:
        calls = _thinned(times, dead)
        gaps = np.diff(calls) - dead
        last = np.searchsorted(calls, at, side="right") - 1
        for width in GAPS:
            seen = np.flatnonzero(last >= width)
            seen = seen[at[seen] - calls[last[seen] - width] <= _DAY]
            for some in np.array_split(seen, len(seen) // _ROWS + 1) if len(seen) else ():
                views = np.lib.stride_tricks.sliding_window_view(gaps, width)[last[some] - width]
                found[some] = np.maximum(found[some], _bits(views))
    return np.asarray(np.maximum(found - np.log2(TRIES), 0.0), dtype=np.float64)


def _thinned(times: Micros, dead: int) -> Micros:
    """Drop what comes within a dead time of a call: each burst begins with one, and all bursts are walked together."""
    kept: NDArray[np.bool_] = np.append(np.diff(times, prepend=times[:1] - dead) >= dead, True)
    calls = np.flatnonzero(kept[:-1])
    while len(calls):
        calls = np.searchsorted(times, times[calls] + dead)
        calls = calls[~kept[calls]]
        kept[calls] = True
    return times[kept[:-1]]


def _quartiles(gaps: int) -> tuple[int, int]:
    return max(round(gaps / 4), 1), round(3 * gaps / 4)


def _bits(views: Micros) -> Floats:
    low, high = _quartiles(views.shape[1])
    ordered = np.sort(views, axis=1)  # numpy sorts rows faster than it parts them
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
