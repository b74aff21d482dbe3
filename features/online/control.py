"""Who commands the containers: `features.extractors.control` while events come in."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from features.commands import command_profile
from features.extractors.control import FOLLOW_UPS, FORBIDDEN, ROUTINE, TELLING
from features.extractors.silence import LOST
from features.http_clients import program_of
from features.online.judged import Dangers, commands, requests
from features.online.moments import Moment, Row
from features.online.per_window import Found, PerWindow
from features.online.silence import Lives, Spoken


@dataclass(slots=True)
class Points:
    """The dangers of one window, each at its most."""

    run: dict[str, float] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)


class Control:
    """Exec sessions, rare actions of the engine, an orchestrator's actors, and what fell silent."""

    def __init__(self, windows: PerWindow[Found], spoken: Spoken, lives: Lives) -> None:
        self._windows = windows
        self._spoken = spoken
        self._lives = lives
        self._points: PerWindow[Points] = PerWindow(Points)

    def run(self, rows: Iterable[tuple[Row, Moment]]) -> None:
        """Take commands run in containers."""
        rows = [(row, moment) for row, moment in rows if _is_run(row)]
        dangers = commands.of(row["command"] for row, _ in rows)
        for row, moment in rows:
            found = self._windows.at(row["workload"], moment.window)
            found.count("control.commands")
            found.meet("control.new_command", command_profile(row["command"]))
            found.meet("control.exec_by", row.get("actor"))
            for name, points in dangers[row["command"]]:
                if points >= TELLING:
                    found.meet("control.new_purpose", name)
            if dangers[row["command"]]:
                _raise(self._points.at(row["workload"], moment.window).run, dangers[row["command"]])

    def act(self, row: Row, moment: Moment) -> None:
        """Take what was done to a container from outside."""
        action = row.get("action")
        if row.get("command") is None and action is not None and action not in ROUTINE:
            self._windows.at(row["workload"], moment.window).meet("control.new_action", action)

    def request(self, rows: Iterable[tuple[Row, Moment]]) -> None:
        """Take requests of actors to an orchestrator."""
        rows = list(rows)
        for (row, moment), (_, dangers) in zip(rows, requests(row for row, _ in rows), strict=True):
            found = self._windows.at(row["workload"], moment.window)
            found.count("control.requests")
            found.count("control.denied", row.get("status") == FORBIDDEN)
            found.meet("control.new_request", _request(row))
            found.meet("control.new_source", row.get("src_ip"))
            agent = row.get("user_agent")
            found.meet("control.new_tool", None if agent is None else program_of(agent))
            if dangers:
                _raise(self._points.at(row["workload"], moment.window).asked, dangers)

    def tell(self, workload: str, window: int, found: Found) -> None:
        """Add up dangers, and say what fell silent or was lost."""
        if (points := self._points.get(workload, window)) is not None:
            if points.run:
                found.values["control.command_danger"] = sum(points.run.values())
            if points.asked:
                found.values["control.danger"] = sum(points.asked.values())
            for name, most in points.asked.items():
                if most >= TELLING:
                    found.meet("control.new_power", name)
        for length in self._spoken.silences(workload, window):
            found.meet("control.silence", length)
        if lost := self._lives.lost(workload, window):
            found.meet("control.lost", LOST, lost)

    def forget(self, before: int) -> None:
        """Drop what no window from `before` on can ask for."""
        self._points.forget(before)
        self._spoken.forget(before)
        self._lives.forget(before)


def _is_run(row: Row) -> bool:
    """Say whether an event is the start of a command that is no health check."""
    command, action = row.get("command"), row.get("action")
    told = command is not None and action is not None and action not in FOLLOW_UPS
    return told and command != row.get("healthcheck")


def _request(row: Row) -> str | None:
    verb, resource = row.get("action"), row.get("resource")
    if verb is None or resource is None:
        return None
    everywhere = row.get("namespace") is None and resource == "secrets"
    return f"{verb} {resource}{' everywhere' if everywhere else ''}"


def _raise(most: dict[str, float], dangers: Dangers) -> None:
    for name, points in dangers:
        most[name] = max(points, most.get(name, points))
