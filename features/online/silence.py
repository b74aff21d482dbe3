"""What no longer happens: `features.silence` while flows and lives of containers come in."""

from bisect import bisect_left, insort

import numpy as np

from features.identity import UNKNOWN_HOST
from features.online.moments import DAY, LENGTH, MICROSECOND, Moment, Row
from features.online.per_window import PerWindow
from features.silence import BEGINS, LEAST, LENGTHS, RETURN, STOPS, silent_windows

_LONGEST = max(LENGTHS)
_RETURN = RETURN // MICROSECOND


class Spoken:
    """The windows in which workloads spoke."""

    def __init__(self) -> None:
        self._windows: dict[str, list[int]] = {}
        self._told: dict[str, list[tuple[int, str]]] = {}

    def add(self, workload: str, window: int) -> None:
        """Take it that a workload spoke in a window."""
        windows = self._windows.setdefault(workload, [])
        if not windows or window > windows[-1]:
            windows.append(window)
        elif windows[bisect_left(windows, window)] != window:
            insort(windows, window)
        else:
            return
        self._told.pop(workload, None)

    def silences(self, workload: str, window: int) -> list[str]:
        """Give the lengths of silence that are told in a window."""
        return [length for told, length in self._silences(workload) if told == window]

    def silent(self, since: int, until: int) -> list[tuple[str, int]]:
        """List workloads and windows in since <= window < until in which a silence is told."""
        return [
            (workload, told)
            for workload in self._windows
            for told, _ in self._silences(workload)
            if since <= told < until
        ]

    def forget(self, before: int) -> None:
        """Drop what no window from `before` on can ask for; when a workload was first heard is kept while it is."""
        oldest = before - DAY - _LONGEST
        for workload, windows in list(self._windows.items()):
            if windows[-1] < oldest:
                del self._windows[workload]
                self._told.pop(workload, None)
            else:
                del windows[1 : bisect_left(windows, oldest, 1)]

    def _silences(self, workload: str) -> list[tuple[int, str]]:
        windows = self._windows.get(workload, ())
        if len(windows) < LEAST:
            return []
        if workload not in self._told:
            self._told[workload] = silent_windows(np.array(windows, np.int64))
        return self._told[workload]


class Lives:
    """Containers that ended or froze, and those that began, by workload and host."""

    def __init__(self) -> None:
        self._ended: PerWindow[list[tuple[str, int]]] = PerWindow(list)
        self._begun: dict[tuple[str, str], list[int]] = {}

    def add(self, row: Row, moment: Moment) -> None:
        """Take an event of a container's life."""
        host = row.get("host")
        place = row["workload"], UNKNOWN_HOST if host is None else host
        action = row.get("action")
        if action in STOPS:
            due = (moment.us + _RETURN) // LENGTH
            self._ended.at(place[0], due).append((place[1], moment.us))
        elif action in BEGINS:
            insort(self._begun.setdefault(place, []), moment.us)

    def lost(self, workload: str, window: int) -> int:
        """Count the containers that ended and that this window should have seen replaced."""
        ended = self._ended.get(workload, window) or ()
        return sum(not self._replaced(workload, host, us) for host, us in ended)

    def due(self, since: int, until: int) -> list[tuple[str, int]]:
        """List workloads and windows in since <= window < until in which an ended container was due to be replaced."""
        return [(workload, window) for workload, window, _ in self._ended.within(since, until)]

    def forget(self, before: int) -> None:
        """Drop what no window from `before` on can ask for."""
        self._ended.forget(before)
        oldest = before * LENGTH - _RETURN
        for place, begun in list(self._begun.items()):
            del begun[: bisect_left(begun, oldest)]
            if not begun:
                del self._begun[place]

    def _replaced(self, workload: str, host: str, us: int) -> bool:
        begun = self._begun.get((workload, host), ())
        at = bisect_left(begun, us)
        return at < len(begun) and begun[at] - us <= _RETURN
