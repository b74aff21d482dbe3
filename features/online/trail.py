"""What a workload's trailing day adds up to, by subject: names under a domain, bytes to a destination."""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from typing import Final

from features.online.moments import DAY

SUBJECTS: Final = 50_000  # of a workload in a day; what is met beyond is counted as dropped and adds up to nothing


class Capped:
    """How many subjects each workload has, and how many were refused."""

    def __init__(self, dropped: Counter[str]) -> None:
        self.dropped = dropped
        self._held: Counter[str] = Counter()

    def admit(self, workload: str) -> bool:
        """Take one more subject, or count it as dropped."""
        if self._held[workload] >= SUBJECTS:
            self.dropped["subjects"] += 1
            return False
        self._held[workload] += 1
        return True

    def release(self, workload: str, subjects: int = 1) -> None:
        """Give back what is no longer held."""
        self._held[workload] -= subjects
        if self._held[workload] <= 0:
            del self._held[workload]


class Names:
    """In which windows each item under a subject was met, for counting the different ones of a day."""

    def __init__(self, dropped: Counter[str]) -> None:
        self._capped = Capped(dropped)
        self._met: dict[str, dict[str, dict[str, list[int]]]] = {}

    def meet(self, workload: str, subject: str, item: str, window: int) -> None:
        """Note an item, in any order of windows."""
        items = self._met.setdefault(workload, {}).setdefault(subject, {})
        windows = items.get(item)
        if windows is None:
            if self._capped.admit(workload):
                items[item] = [window]
        elif window > windows[-1]:
            windows.append(window)
        elif window != windows[-1] and windows[bisect_right(windows, window) - 1] != window:
            insort(windows, window)

    def distinct(self, workload: str, subject: str, window: int) -> int:
        """Count the different items of the day that ends with a window."""
        items = self._met.get(workload, {}).get(subject, {})
        return sum(_met_within(windows, window) for windows in items.values())

    def forget(self, before: int) -> None:
        """Drop what lies before a window."""
        for workload, subjects in list(self._met.items()):
            for subject, items in list(subjects.items()):
                for item, windows in list(items.items()):
                    if windows[-1] < before:
                        del items[item]
                        self._capped.release(workload)
                    elif windows[0] < before:
                        del windows[: bisect_right(windows, before - 1)]
                if not items:
                    del subjects[subject]
            if not subjects:
                del self._met[workload]


def _met_within(windows: list[int], window: int) -> bool:
    at = bisect_right(windows, window)
    return at > 0 and windows[at - 1] > window - DAY


class Sums:
    """Bytes sent to and received from each subject in each window of a day."""

    def __init__(self, dropped: Counter[str]) -> None:
        self._capped = Capped(dropped)
        self._sums: dict[str, dict[str, dict[int, tuple[int, int]]]] = {}

    def put(self, workload: str, subject: str, window: int, amounts: tuple[int, int]) -> None:
        """Set what was sent and received in a window."""
        subjects = self._sums.setdefault(workload, {})
        windows = subjects.get(subject)
        if windows is None:
            if not self._capped.admit(workload):
                return
            windows = subjects[subject] = {}
        windows[window] = amounts

    def take_back(self, workload: str, subject: str, window: int) -> None:
        """Remove what was set for a window."""
        self._sums.get(workload, {}).get(subject, {}).pop(window, None)

    def day(self, workload: str, subject: str, window: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """List the windows of the day that ends with a window, with what was sent and received."""
        for met, amounts in self._sums.get(workload, {}).get(subject, {}).items():
            if window - DAY < met <= window:
                yield met, amounts

    def forget(self, before: int) -> None:
        """Drop what lies before a window."""
        for workload, subjects in list(self._sums.items()):
            for subject, windows in list(subjects.items()):
                for window in [window for window in windows if window < before]:
                    del windows[window]
                if not windows:
                    del subjects[subject]
                    self._capped.release(workload)
            if not subjects:
                del self._sums[workload]
