"""Incidents of the stored scores: joined from bits and severities alone, and read in full a page at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from features.windows import WINDOW
from models.description import iso
from models.incidents import Incident, runs
from models.scores import Severity
from service.cursors import Position, issue, redeem
from service.database import Database
from service.jobs.errors import JobError
from service.labels import hosts_of
from service.selection import Selection
from service.storage import Cell, Order, ScoreStore
from service.tables import micros

_MOST_NAMED = 1_000  # workloads that one statement names


class UnknownIncidentError(JobError):
    """No such incident is stored."""


@dataclass(frozen=True)
class Found:
    """Windows that are one incident, in order."""

    cells: Sequence[Cell]

    @property
    def workload(self) -> str:
        """Whose incident it is."""
        return self.cells[0].workload

    @property
    def start(self) -> datetime:
        """Start of the first window."""
        return self.cells[0].window_start

    @property
    def end(self) -> datetime:
        """End of the last window."""
        return self.cells[-1].window_start + WINDOW

    @property
    def strongest(self) -> Cell:
        """The window to read first."""
        return max(self.cells, key=lambda cell: cell.bits)

    def place(self, order: Order) -> Position:
        """Tell where it stands in an order."""
        start = micros(self.start)
        return Position(start if order == "time" else self.strongest.bits, start, self.workload)


def page(
    database: Database, selection: Selection, at_least: Severity, *, order: Order, limit: int, cursor: str | None
) -> tuple[list[Incident], str | None]:
    """Read a page of incidents.

    Parameters
    ----------
    selection
        Incidents with a strange window among these are given, in full; its severity is not asked for.
    at_least
        Severity from which a window is strange.
    order
        `time`: newest first; `bits`: strongest first.
    cursor
        The second value of the page before, for the same filters and order.

    Returns
    -------
    The incidents, and the cursor of the next page or None after the last.

    Raises
    ------
    CursorError
        If the cursor does not belong to this question.
    """
    question = ("incidents", selection, at_least, order)
    after = None if cursor is None else _rank(redeem(cursor, question, Position))
    places = _in_order(_touching(database, selection, at_least), order)
    left = [(place, one) for place, one in places if after is None or _rank(place) > after]
    more = issue(left[limit - 1][0], question) if len(left) > limit else None
    return list(_read(database, [one for _, one in left[:limit]])), more


def every(database: Database, selection: Selection, at_least: Severity) -> Iterator[Incident]:
    """Read all incidents, one by one, the strongest first; parameters as of `page`."""
    return _read(database, [one for _, one in _in_order(_touching(database, selection, at_least), "bits")])


def find(database: Database, name: str, *, at_least: Severity) -> Found:
    """Find the incident that a window belongs to.

    Parameters
    ----------
    name
        The start of one of its windows, a slash and its workload.
    at_least
        Severity from which a window is strange.

    Raises
    ------
    UnknownIncidentError
        If there is no such incident.
    """
    began, _, workload = name.partition("/")
    try:
        start = datetime.fromisoformat(began)
    except ValueError:
        raise UnknownIncidentError(f"{name!r} is no incident: it reads START/WORKLOAD") from None
    for one in _joined(ScoreStore(database).cells(workloads=[workload], severity=at_least)):
        if start.tzinfo and any(cell.window_start == start for cell in one.cells):
            return one
    raise UnknownIncidentError(f"no incident {name!r} of severity {at_least} or more is stored")


def read(database: Database, found: Found) -> Incident:
    """Read an incident in full.

    Raises
    ------
    UnknownIncidentError
        If it expired meanwhile.
    """
    for incident in _read(database, [found]):
        return incident
    raise UnknownIncidentError("the incident has expired")


def _touching(database: Database, selection: Selection, at_least: Severity) -> list[Found]:
    """Join all strange windows of the workloads that have one among those selected."""
    workloads = None if selection.workload is None else [selection.workload]
    asked = selection._replace(workload=None, severity=at_least)._asdict()
    del asked["workload"]
    hits = ScoreStore(database).cells(workloads=workloads, **asked)
    whole = hits
    if selection != Selection(workload=selection.workload):
        names = {hit.workload for hit in hits}
        whole = ScoreStore(database).cells(workloads=names if len(names) <= _MOST_NAMED else None, severity=at_least)
    meant = {hit[:2] for hit in hits}
    return [one for one in _joined(whole) if any(cell[:2] in meant for cell in one.cells)]


def _joined(cells: Sequence[Cell]) -> Iterator[Found]:
    return map(Found, runs(cells, lambda cell: (cell.workload, cell.window_start, cell.window_start + WINDOW)))


def _read(database: Database, found: Sequence[Found]) -> Iterator[Incident]:
    for one in found:
        strongest = ScoreStore(database).get(one.workload, one.strongest.window_start)
        if strongest is not None:  # it may expire meanwhile
            yield Incident(
                id=f"{iso(one.start)}/{one.workload}",
                workload=one.workload,
                start=iso(one.start),
                end=iso(one.end),
                severity=strongest.severity,
                bits=strongest.bits,
                windows=len(one.cells),
                strongest=strongest,
                hosts=hosts_of(database, one.workload, one.start, one.end),
            )


def _in_order(found: Iterable[Found], order: Order) -> list[tuple[Position, Found]]:
    return sorted(((one.place(order), one) for one in found), key=_first)


def _first(placed: tuple[Position, Found]) -> tuple[float, int, str]:
    return _rank(placed[0])


def _rank(place: Position) -> tuple[float, int, str]:
    return -place.value, -place.window_start, place.workload
