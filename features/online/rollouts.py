"""Which containers stand and how they are configured: `features.rollouts` while snapshots and ends come in."""

from bisect import bisect_left, insort
from collections import Counter
from typing import NamedTuple

from features.online.moments import LENGTH, Moment, Row
from features.rollouts import ENDS


class Told(NamedTuple):
    """A snapshot of a container, or its end: then `tokens` is not to be looked at."""

    us: int
    event_id: int
    ended: bool
    workload: str
    image: str | None
    tokens: tuple[str | None, ...]


class Agreement(NamedTuple):
    """Who has each setting among the siblings of a window.

    Parameters
    ----------
    having
        How many containers have each setting.
    siblings
        How many containers there are.
    familiar
        Whether the workload ran the images of all of them before the window.
    """

    having: Counter[str | None]
    siblings: int
    familiar: bool


class Rollouts:
    """The lives of containers, as far as a window that is open can look back at them."""

    def __init__(self) -> None:
        self._lives: dict[str, list[Told]] = {}
        self._containers: dict[str, set[str]] = {}
        self._first_runs: dict[tuple[str, str | None], int] = {}
        self._taken: dict[int, set[str]] = {}

    def add(self, row: Row, moment: Moment) -> None:
        """Take any event of a container; only snapshots and ends count."""
        snapshot = row["kind"] == "config"
        workload, container = row["workload"], row.get("container_id")
        if container is None or not (snapshot or row.get("action") in ENDS):
            return
        config = row.get("config")
        tokens = () if config is None else tuple(config) or (None,)  # a container without settings lacks them all
        image = row.get("image_repository")
        told = Told(moment.us, moment.event_id, not snapshot, workload, image, tokens)
        insort(self._lives.setdefault(container, []), told, key=lambda told: told[:2])
        if snapshot:
            self._taken.setdefault(moment.window, set()).add(workload)
            self._containers.setdefault(workload, set()).add(container)
            run = workload, image
            self._first_runs[run] = min(moment.us, self._first_runs.get(run, moment.us))

    def agreement(self, workload: str, window: int) -> Agreement | None:
        """Count who has each setting among the siblings of a window with a snapshot; None if there are not two."""
        if workload not in self._taken.get(window, ()):
            return None
        begin, end = window * LENGTH, (window + 1) * LENGTH
        stood = [self._stood(container, workload, begin, end) for container in self._containers.get(workload, ())]
        told = [snapshot for snapshot in stood if snapshot is not None]
        if len(told) < 2:  # noqa: PLR2004 -- one has no sibling
            return None
        having: Counter[str | None] = Counter(token for snapshot in told for token in snapshot.tokens)
        familiar = all(self._first_runs[workload, snapshot.image] < begin for snapshot in told)
        return Agreement(having, len(told), familiar)

    def forget(self, before: int) -> None:
        """Drop what no window from `before` on can ask for: all but the last snapshot of what stands."""
        for window in [window for window in self._taken if window < before]:
            del self._taken[window]
        start = (before * LENGTH,)
        for container, life in list(self._lives.items()):
            past = bisect_left(life, start)
            del life[: max(past - 1, 0)]
            if past and life[0].ended:
                del life[0]
            if not life:
                del self._lives[container]
        for workload, containers in list(self._containers.items()):
            containers.intersection_update(self._lives)
            if not containers:
                del self._containers[workload]

    def _stood(self, container: str, workload: str, begin: int, end: int) -> Told | None:
        """Give the last snapshot of a container that stands at `end`, or was taken since `begin`."""
        life = self._lives[container]
        for at in range(bisect_left(life, (end,)) - 1, -1, -1):
            told = life[at]
            stands = at + 1 == len(life) or life[at + 1].us >= end
            if not told.ended and told.workload == workload and (stands or told.us >= begin):
                return told
            if told.us < begin and not stands:
                return None
        return None
