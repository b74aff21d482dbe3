"""How workloads are configured: `features.extractors.config` while snapshots and lives of containers come in."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from features.online.judged import Setting, settings
from features.online.moments import DAY, LENGTH, Moment, Row
from features.online.per_window import Found, PerWindow
from features.online.rollouts import Rollouts
from features.posture import CARELESS, PRIVILEGED


@dataclass(slots=True)
class Settings:
    """The snapshots of one window."""

    containers: set[tuple[str | None, str]] = field(default_factory=set)
    plain: Counter[str] = field(default_factory=Counter)
    known: dict[str, Setting] = field(default_factory=dict)


@dataclass(slots=True)
class Life:
    """When containers left a network in one window, at first."""

    left: dict[str, int] = field(default_factory=dict)


class Config:
    """Configuration snapshots and container life."""

    def __init__(self, windows: PerWindow[Found], rollouts: Rollouts) -> None:
        self._windows = windows
        self._rollouts = rollouts
        self._settings: PerWindow[Settings] = PerWindow(Settings)
        self._lives: PerWindow[Life] = PerWindow(Life)
        self._died: dict[str, int] = {}

    def snapshots(self, rows: Iterable[tuple[Row, Moment]]) -> None:
        """Take snapshots of containers' settings."""
        rows = list(rows)
        known = settings.of(token for row, _ in rows for token in row.get("config") or () if token is not None)
        for row, moment in rows:
            found = self._windows.at(row["workload"], moment.window)
            for token in row.get("config") or ():
                if token is not None:
                    taken = self._settings.at(row["workload"], moment.window)
                    taken.containers.add((row.get("container_id"), token))
                    taken.known[token] = known[token]
                    if known[token].danger >= PRIVILEGED:
                        found.meet("config.new_privilege", token)
                    elif not known[token].safeguard:
                        found.meet("config.new_setting", token)
                        taken.plain[token] += 1

    def live(self, row: Row, moment: Moment) -> None:
        """Take an event of a container's life."""
        workload, action, container = row["workload"], row.get("action"), row.get("container_id")
        found = self._windows.at(workload, moment.window)
        found.count("config.creations", action == "create")
        found.count("config.deaths", action == "die")
        life = self._lives.at(workload, moment.window)
        if container is not None and action == "die":
            self._died[container] = min(moment.us, self._died.get(container, moment.us))
        if container is not None and action == "network_disconnect":
            life.left[container] = min(moment.us, life.left.get(container, moment.us))

    def tell(self, workload: str, window: int, found: Found) -> None:
        """Add what snapshots say together, and what was refused a start."""
        if (taken := self._settings.get(workload, window)) is not None:
            found.values["config.posture"] = _posture(taken)
        if (life := self._lives.get(workload, window)) is not None:
            refused = [container for container, us in life.left.items() if self._died.get(container, us + 1) > us]
            found.values["config.refused_starts"] = float(len(refused))
        if (agreed := self._rollouts.agreement(workload, window)) is not None:
            if agreed.having:
                lacking = sum(having < agreed.siblings for having in agreed.having.values())
                found.values["config.drift"] = float(lacking)
            for token, times in (taken.plain if taken and agreed.familiar else {}).items():
                if agreed.having[token] == agreed.siblings:
                    found.meet("config.rolled_out", token, times)

    def forget(self, before: int) -> None:
        """Drop what no window from `before` on can ask for."""
        self._settings.forget(before)
        self._lives.forget(before)
        self._rollouts.forget(before)
        oldest = (before - DAY) * LENGTH
        for container in [container for container, us in self._died.items() if us < oldest]:
            del self._died[container]


def _posture(taken: Settings) -> float:
    """Give the points of the most dangerous container: what it has, and what it lacks."""
    containers: dict[str, list[Setting]] = {}
    for container, token in taken.containers:
        containers.setdefault(container or "", []).append(taken.known[token])
    return max(map(_points, containers.values()))


def _points(settings: list[Setting]) -> float:
    concerned = satisfied = 0
    for setting in settings:
        concerned |= setting.concerned
        satisfied |= setting.satisfied
    return sum(setting.danger for setting in settings) + (concerned & ~satisfied).bit_count() * CARELESS
