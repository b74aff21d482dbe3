"""How regular a sequence of connections is: the mark of a program that calls home."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import EPOCH
from features.windows import KEY, TRAILING, starting, window_start

Floats = NDArray[np.float64]
Micros = NDArray[np.int64]

GAPS = (4, 8, 16, 32, 48)  # how many of the latest gaps are looked at; the most regular of these views speaks
DEAD_TIMES = (0.0, 10.0)  # seconds after a call in which further calls belong to it
LATEST = GAPS[-1] + 1  # calls that these gaps lie between
TRIES = len(GAPS) * len(DEAD_TIMES)
_SECOND = 1_000_000  # in microseconds, of which events have whole ones
_DAY = int(TRAILING.total_seconds()) * _SECOND
_RATIOS = np.geomspace(1e-3, 10.0, 160)  # of the quartiles, less one
_NODES = 200
_TOGETHER = 1 << 13  # moments judged at once: 3 MB


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
    return _strength(np.rint(times * _SECOND).astype(np.int64), np.rint(at * _SECOND).astype(np.int64))


def judge(latest: Sequence[Floats], at: Floats) -> Floats:
    """Give `strength` at some moments, of whatever edges, from the latest calls before each.

    Parameters
    ----------
    latest
        For each of `DEAD_TIMES` the calls so thinned, in seconds, ascending, shape (m, `LATEST`), filled up from the
        left with NaN, or with anything older than `TRAILING`.
    at
        Moments in seconds, shape (m,).

    Returns
    -------
    Bits, shape (m,), at least 0.
    """
    found = np.zeros(len(at))
    for dead, calls in zip(DEAD_TIMES, latest, strict=True):
        gaps = np.rint((np.diff(calls, axis=1) - dead) * _SECOND)  # exact again, however far from zero the calls lie
        for width in GAPS:
            seen = np.flatnonzero(at - calls[:, -1 - width] <= TRAILING.total_seconds())
            if len(seen):
                found[seen] = np.maximum(found[seen], _bits(gaps[seen, -width:]))
    return np.asarray(np.maximum(found - np.log2(TRIES), 0.0), dtype=np.float64)


def strengths(flows: pl.DataFrame, since: datetime = EPOCH) -> pl.DataFrame:
    """Judge the calls of every edge at its last call in each window.

    Parameters
    ----------
    flows
        `workload, edge, ts`.
    since
        Windows that start earlier are not judged.

    Returns
    -------
    `workload, window_start, edge, strength` (bits), one row per edge and window with calls; edges too seldom called
    to be judged are left out.
    """
    calls = _laid_out(flows, more_than=GAPS[0]).with_columns(window_start())
    ends = pl.struct("number", "window_start").ne_missing(pl.struct("number", "window_start").shift(-1))
    last = calls.filter(ends & starting(since))
    bits = _strength(calls["line"].to_numpy(), last["line"].to_numpy())
    return last.select(*KEY, "edge", pl.Series("strength", bits))


def latest(calls: pl.DataFrame) -> pl.DataFrame:
    """Keep, of calls (`workload, edge, ts`), those that later calls along their edges are judged with."""
    calls = _laid_out(calls)
    times, numbers = calls["line"].to_numpy(), calls["number"].to_numpy()
    kept = np.zeros(len(times), np.bool_)
    for dead in DEAD_TIMES:
        chain = np.flatnonzero(_calls(times, round(dead * _SECOND)))
        of = numbers[chain]
        kept[chain[np.searchsorted(of, of, side="right") - np.arange(len(of)) <= LATEST]] = True
    return calls.filter(pl.Series(kept)).select("workload", "edge", "ts")


def _laid_out(calls: pl.DataFrame, more_than: int = 0) -> pl.DataFrame:
    """Lay out all edges on one `line` in µs, so far apart that no day reaches from one to the next, and number them."""
    calls = (
        calls.select("workload", "edge", "ts")
        .group_by("workload", "edge")
        .agg(pl.col("ts").sort())
        .filter(pl.col("ts").list.len() > more_than)
        .with_row_index("number")
        .explode("ts", empty_as_null=True)
    )
    begins = pl.col("number").ne_missing(pl.col("number").shift())
    step = pl.when(begins).then(_DAY + 1).otherwise(pl.col("ts").diff().dt.total_microseconds())
    return calls.with_columns(step.cum_sum().alias("line"))


def _strength(times: Micros, at: Micros) -> Floats:
    padding = np.full(LATEST, times.min(initial=0) - 2 * _DAY)
    chains = [np.concatenate([padding, times[_calls(times, round(dead * _SECOND))]]) for dead in DEAD_TIMES]
    views = [np.lib.stride_tricks.sliding_window_view(chain, LATEST) for chain in chains]
    found = []
    for some in np.array_split(at, len(at) // _TOGETHER + 1):
        ends = [np.searchsorted(chain[LATEST:], some, side="right") for chain in chains]
        latest = [(view[end] - some[:, None]) / _SECOND for view, end in zip(views, ends, strict=True)]
        found.append(judge(latest, np.zeros(len(some))))
    return np.concatenate(found)


def _calls(times: Micros, dead: int) -> NDArray[np.bool_]:
    """Tell calls from what comes within a dead time of one: each burst begins with one, and all are walked together."""
    kept: NDArray[np.bool_] = np.append(np.diff(times, prepend=times[:1] - dead) >= dead, True)
    calls = np.flatnonzero(kept[:-1])
    while len(calls):
        calls = np.searchsorted(times, times[calls] + dead)
        calls = calls[~kept[calls]]
        kept[calls] = True
    return kept[:-1]


def _quartiles(gaps: int) -> tuple[int, int]:
    return max(round(gaps / 4), 1), round(3 * gaps / 4)


def _bits(views: Floats) -> Floats:
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
    from scipy.special import bdtrc, betaincinv  # noqa: PLC0415 -- heavy, and no web worker needs it to begin

    low, high = _quartiles(gaps)
    middles = (np.arange(_NODES) + 0.5) / _NODES
    smallest = -np.log1p(-betaincinv(low, gaps - low + 1, middles))
    near = -np.expm1(-_RATIOS * smallest[:, None])
    return np.asarray(-np.log2(bdtrc(high - low - 1, gaps - low, near).mean(axis=0)), dtype=np.float64)
