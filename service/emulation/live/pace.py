"""How a scenario's hours fit into minutes: time may run faster, long waits are squeezed, long activity is cut."""

import math
import random
from collections.abc import Sequence

from service.emulation.steps import AnyStep


class Pace:
    """Fits a scenario's times into a budget.

    Waits that reach beyond half the budget are squeezed; whatever lasts beyond the budget is cut. The period of a
    beacon is changed by `faster` alone, so that what is played is else a part of the scenario and never louder.

    Parameters
    ----------
    steps
        The steps to fit.
    minutes
        The budget.
    faster
        Divides every time.
    """

    def __init__(self, steps: Sequence[AnyStep], minutes: float, faster: float = 1.0) -> None:
        self.budget = minutes * 60.0
        self.faster = faster
        last = max((step.at for step in steps), default=0.0) / faster
        self.squeeze = min(1.0, self.budget / 2 / last) if last else 1.0
        self.notes: list[str] = []
        if faster != 1.0:
            self.notes.append(f"time runs {faster:g} times faster: louder than the scenario")
        if self.squeeze < 1.0:
            self.notes.append(
                f"waits are shortened: the last act begins after {last * self.squeeze:.0f} s, not {last:.0f} s"
            )

    def when(self, at: float) -> float:
        """Return the second of the emulation at which something begins."""
        return at / self.faster * self.squeeze

    def lasts(self, what: str, at: float, seconds: float) -> float:
        """Return how long something may last, and note where that is less than the scenario says."""
        wanted, left = seconds / self.faster, self.budget - self.when(at)
        if wanted > left + 1.0:
            self.notes.append(f"{what}: {left:.0f} s of {wanted:.0f} s are played (--minutes plays more)")
        return max(min(wanted, left), 1.0)

    def gap(self, seconds: float) -> float:
        """Return a period."""
        return seconds / self.faster

    def times(self, what: str, at: float, count: int, every: float) -> list[float]:
        """Return the seconds at which something is done `count` times, and note those that do not fit."""
        begin, gap = self.when(at), self.gap(every)
        fit = count if gap <= 0 else min(count, 1 + int((self.budget - begin) / gap))
        if fit < count:
            self.notes.append(f"{what}: {fit} of {count} times (--minutes plays more)")
        return [begin + number * gap for number in range(max(fit, 1))]


def gaps(period: float, jitter: float, seconds: float, seed: str) -> list[float]:
    """Return the waits between check-ins that fit into `seconds`; below 0, `jitter` means exponential waits.

    Examples
    --------
    >>> gaps(10, 0, 35, "run")
    [10.0, 10.0, 10.0]
    """
    draw, passed = random.Random(seed), 0.0  # noqa: S311 -- the pace of traffic
    found: list[float] = []
    while True:
        gap = draw.expovariate(1 / period) if jitter < 0 else period * (1 + jitter * draw.uniform(-1, 1))
        passed += max(gap, 0.05)
        if passed > seconds or not math.isfinite(passed):
            return found
        found.append(round(max(gap, 0.05), 3))
