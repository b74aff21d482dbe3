"""The latest calls along edges, for `features.beacons`: as many as are looked at, and those of windows still open."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from features.beacons import DEAD_TIMES, GAPS, LATEST, Floats, judge

Tails = tuple[Sequence[float], ...]  # latest calls at a moment, for each of DEAD_TIMES
TOGETHER: Final = 4096  # edges judged at once: 3 MB


class Calls:
    """The calls along one edge, in seconds since 1970."""

    __slots__ = ("_chains", "_closed", "_open")

    def __init__(self) -> None:
        self._closed: tuple[list[float], ...] = tuple([] for _ in DEAD_TIMES)
        self._open: dict[int, list[float]] = {}
        self._chains: tuple[list[float], ...] | None = None

    def put(self, window: int, times: Iterable[float]) -> None:
        """Set the calls of a window that is still open; none takes them away."""
        self._chains = None
        if called := sorted(times):
            self._open[window] = called
        else:
            self._open.pop(window, None)

    def latest(self, window: int) -> tuple[float, Tails] | None:
        """Give the last call in an open window and the latest up to it; None where they are too few to be judged."""
        moment = self._open[window][-1]
        if self._chains is None:
            self._chains = self._chained(self._open)
        if bisect_right(self._chains[0], moment) <= GAPS[0]:
            return None
        return moment, tuple(_up_to(chain, moment) for chain in self._chains)

    def close(self, before: int, oldest: float) -> bool:
        """Thin the calls of windows before one for good; say whether any since `oldest` seconds is left to look at."""
        over = {window: times for window, times in self._open.items() if window < before}
        if over:
            self._closed = tuple(chain[-LATEST:] for chain in self._chained(over))
            self._open = {window: times for window, times in self._open.items() if window >= before}
            self._chains = None
        return bool(self._open) or (len(self._closed[0]) > 0 and self._closed[0][-1] >= oldest)

    def _chained(self, windows: dict[int, list[float]]) -> tuple[list[float], ...]:
        times = [time for window in sorted(windows) for time in windows[window]]
        return tuple(_thinned(chain, times, dead) for chain, dead in zip(self._closed, DEAD_TIMES, strict=True))


def _thinned(chain: list[float], times: list[float], dead: float) -> list[float]:
    """Continue a chain of calls, each the first at least `dead` seconds after the one before."""
    if not dead:
        return [*chain, *times]
    kept = list(chain)
    at = bisect_left(times, kept[-1] + dead) if kept else 0
    while at < len(times):
        kept.append(times[at])
        at = bisect_left(times, times[at] + dead, at + 1)
    return kept


def _up_to(chain: list[float], moment: float) -> list[float]:
    end = bisect_right(chain, moment)
    return chain[max(end - LATEST, 0) : end]


def strengths(latest: Sequence[tuple[float, Tails]]) -> Floats:
    """Give `features.beacons.strength` in bits of each edge at its moment, shape (n,)."""
    found = [np.zeros(0)]
    for begin in range(0, len(latest), TOGETHER):
        moments, tails = zip(*latest[begin : begin + TOGETHER], strict=True)
        found.append(judge([_filled(thinned) for thinned in zip(*tails, strict=True)], np.array(moments)))
    return np.concatenate(found)


def _filled(tails: Sequence[Sequence[float]]) -> Floats:
    filled = np.full((len(tails), LATEST), np.nan)
    for row, tail in zip(filled, tails, strict=True):
        if tail:
            row[-len(tail) :] = tail
    return filled
