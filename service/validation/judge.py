"""Judge scores against the ground truth as an analyst would: in alerts, not in windows.

Strange windows of one workload less than six hours apart are one alert. An alert is true when one of its windows
overlaps an attack on its workload, or the hour after it; any other is false. A threshold stands for the false alerts
that it costs, a day and 100 scored workloads.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.windows import WINDOW
from models.incidents import GAP
from service.validation.scored import Scored

GRACE = 3600.0
DAY = 86_400.0
PER = 100  # workloads that a rate of false alerts is stated for
UNNAMED = "ip:"  # an address that nobody leased is no workload: a scan would make hundreds, and so allow more noise
SLACK = 0.1  # of an alert: the last window of a day is never closed, and two days must allow twice what one does
_WINDOW = WINDOW.total_seconds()
_APART = GAP.total_seconds() + _WINDOW  # from start to start


@dataclass(frozen=True)
class Act:
    """Something that was done: on whom, and from when to when in seconds since 1970."""

    workloads: frozenset[str]
    start: float
    end: float


@dataclass(frozen=True)
class Alert:
    """A run of strange windows of one workload; `peak` is the row of its strongest window."""

    workload: str
    start: float
    end: float
    peak: int
    bits: float
    true: bool


@dataclass(frozen=True, eq=False)
class Curve:
    """How many alerts there are as the threshold comes down: `thresholds` descending, each of them reached."""

    thresholds: NDArray[np.float64]
    false: NDArray[np.int64]
    every: NDArray[np.int64]

    def at_most(self, allowed: float) -> float:
        """Return the lowest threshold before the false alerts first exceed `allowed`; infinity if the first does."""
        over = np.flatnonzero(self.false > allowed)
        first = int(over[0]) if len(over) else len(self.false)
        return float(self.thresholds[first - 1]) if first else float("inf")

    def false_above(self, bits: float) -> int:
        """Return how many false alerts there are with a threshold just above `bits`."""
        return self._above(self.false, bits)

    def rank(self, bits: float) -> int:
        """Return the place that a window of `bits` has among all alerts, 1 for the strongest."""
        return self._above(self.every, bits) + 1

    def _above(self, counts: NDArray[np.int64], bits: float) -> int:
        reached = int(np.searchsorted(-self.thresholds, -bits, side="left"))
        return int(counts[reached - 1]) if reached else 0


class Judge:
    """Scores of one estate beside what was done to it.

    Parameters
    ----------
    scored
        Every scored window of the watched span.
    attacks
        What an alert may be true of.
    grace
        Seconds after an attack in which an alert is still of it.
    """

    def __init__(self, scored: Scored, attacks: Sequence[Act], grace: float = GRACE) -> None:
        self.scored, self.grace = scored, grace
        self.workloads = sum(not name.startswith(UNNAMED) for name in scored.names)
        self.days = float(scored.start.max() + _WINDOW - scored.start.min()) / DAY if len(scored) else 0.0
        self.true = np.zeros(len(scored), dtype=bool)
        for attack in attacks:
            self.true[self.rows(attack)] = True

    def rows(self, act: Act) -> NDArray[np.int64]:
        """Return the windows that an act overlaps on any of its workloads, its grace included."""
        return self._rows(act, self.grace)

    def rows_within(self, act: Act) -> NDArray[np.int64]:
        """Return the windows that an act overlaps on any of its workloads."""
        return self._rows(act, 0.0)

    def _rows(self, act: Act, grace: float) -> NDArray[np.int64]:
        found = []
        for workload in sorted(act.workloads):
            low, high = self.scored.bounds(workload)
            first = low + int(np.searchsorted(self.scored.start[low:high], act.start - _WINDOW, side="right"))
            after = low + int(np.searchsorted(self.scored.start[low:high], act.end + grace, side="left"))
            # an act that lasts no time still lies in a window
            found.append(np.arange(first, max(after, min(first + 1, high)) if act.end == act.start else after))
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    @cached_property
    def curve(self) -> Curve:
        """Alerts at every threshold."""
        return self._sweep(float("inf"))

    def curve_until(self, false: float) -> Curve:
        """Return the curve up to where there are more false alerts than `false`: enough for the thresholds before."""
        return self._sweep(false)

    def _sweep(self, most: float) -> Curve:
        """Lower the threshold from window to window, and join each to the runs that lie near it."""
        bits, start, who, true = (
            column.tolist() for column in (self.scored.bits, self.scored.start, self.scored.who, self.true)
        )
        reached: list[list[int]] = [[] for _ in self.scored.names]
        parent, of_attack = list(range(len(bits))), list(true)
        thresholds: list[float] = []
        false_counts: list[int] = []
        counts: list[int] = []
        false = every = 0

        def root(row: int) -> int:
            while parent[row] != row:
                parent[row] = parent[parent[row]]
                row = parent[row]
            return row

        for row in np.argsort(-self.scored.bits, kind="stable").tolist():
            own = reached[who[row]]
            place = bisect_left(own, row)
            false, every = false + (not true[row]), every + 1
            for other in own[max(place - 1, 0) : place + 1]:
                if abs(start[other] - start[row]) < _APART:
                    first, second = root(row), root(other)
                    if first == second:
                        continue
                    false -= (not of_attack[first]) + (not of_attack[second])
                    every -= 1
                    parent[second] = first
                    of_attack[first] = of_attack[first] or of_attack[second]
                    false += not of_attack[first]
            own.insert(place, row)
            if thresholds and thresholds[-1] == bits[row]:
                false_counts[-1], counts[-1] = false, every
            else:
                if false_counts and false_counts[-1] > most:
                    break
                thresholds.append(bits[row])
                false_counts.append(false)
                counts.append(every)
        return Curve(np.array(thresholds), np.array(false_counts, np.int64), np.array(counts, np.int64))

    def allowed(self, rate: float) -> int:
        """Return the false alerts of the whole span that `rate` a day and 100 workloads allows."""
        return int(rate * self.days * self.workloads / PER + SLACK)

    def threshold(self, rate: float) -> float:
        """Return the lowest threshold that keeps to `rate` false alerts a day and 100 workloads."""
        return self.curve.at_most(self.allowed(rate))

    def alerts(self, threshold: float) -> list[Alert]:
        """Return the alerts that reach a threshold, strongest first."""
        rows = np.flatnonzero(self.scored.bits >= threshold)
        if not len(rows):
            return []
        who, start = self.scored.who[rows], self.scored.start[rows]
        cuts = np.flatnonzero((np.diff(who) != 0) | (np.diff(start) >= _APART)) + 1
        runs = np.split(rows, cuts)
        found = [
            Alert(
                workload=self.scored.names[int(self.scored.who[run[0]])],
                start=float(self.scored.start[run[0]]),
                end=float(self.scored.start[run[-1]]) + _WINDOW,
                peak=(peak := int(run[np.argmax(self.scored.bits[run])])),
                bits=float(self.scored.bits[peak]),
                true=bool(self.true[run].any()),
            )
            for run in runs
        ]
        return sorted(found, key=lambda alert: (-alert.bits, alert.workload, alert.start))

    def strongest(self, act: Act) -> int | None:
        """Return the row of the strongest window of an act, the first of equals; None if it has no window."""
        rows = self.rows(act)
        if not len(rows):
            return None
        order = np.lexsort((self.scored.start[rows], -self.scored.bits[rows]))
        return int(rows[order[0]])

    def caught(self, act: Act, threshold: float) -> bool:
        """Tell whether a window of an act reaches a threshold."""
        rows = self.rows(act)
        return bool(len(rows) and self.scored.bits[rows].max() >= threshold)

    def delay(self, act: Act, threshold: float) -> float | None:
        """Return the minutes from an act's begin to the end of its first window that reaches a threshold."""
        rows = self.rows(act)
        over = rows[self.scored.bits[rows] >= threshold]
        return max(0.0, float(self.scored.start[over].min()) + _WINDOW - act.start) / 60 if len(over) else None


def share_caught(judge: Judge, acts: Iterable[Act], rate: float) -> float:
    """Return the share of acts that are caught at a rate; 0 of none."""
    told = list(acts)
    threshold = judge.curve_until(judge.allowed(rate)).at_most(judge.allowed(rate))
    return sum(judge.caught(act, threshold) for act in told) / len(told) if told else 0.0
