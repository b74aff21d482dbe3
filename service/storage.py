"""Stored scores: written once per window, read by page, by workload and by time."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from models.scores import SEVERITIES, Score, Severity
from service.cursors import CursorError, Position, issue, redeem
from service.database import Database
from service.labels import Hosts, relabel
from service.selection import Selection, after
from service.tables import from_micros, label_table, micros, score_table

BATCH = 2_000
MAX_LIMIT = 1_000
Order = Literal["time", "bits"]

__all__ = ["Cell", "CursorError", "Order", "ScoreStore", "from_micros", "micros"]


class Cell(NamedTuple):
    """One stored window without its explanation."""

    workload: str
    window_start: datetime
    bits: float
    severity: Severity


class ScoreStore:
    """Scores by (workload, window_start).

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self,
        scores: Iterable[Score],
        *,
        hosts: Hosts = MappingProxyType({}),
        confirm: Callable[[sa.Connection], None] = lambda _: None,
    ) -> int:
        """Insert scores; one already stored for the same window is replaced, and its revision counted.

        Parameters
        ----------
        hosts
            On which hosts the workloads ran.
        confirm
            Called within each transaction; what it raises undoes that one and ends it.

        Returns
        -------
        How many are new or differ from what was stored: storing the same scores twice gives 0 the second time.
        """
        upsert = self._database.upsert(score_table, count=score_table.c.revision)
        changed = 0
        for batch in _batches(scores, BATCH):
            batch.sort(key=attrgetter("workload", "window_start"))  # PostgreSQL: two in different order would deadlock
            with self._database.writing() as connection:
                confirm(connection)
                changed += connection.execute(upsert, [_row(score) for score in batch]).rowcount
                relabel(self._database, connection, batch, hosts)
        return changed

    def expire(self, before: datetime) -> int:
        """Delete the scores of windows that start before a time, a few thousand in a transaction; give how many."""
        key = (score_table.c.window_start, score_table.c.workload)
        some = sa.select(*key).where(score_table.c.window_start < micros(before)).order_by(*key).limit(BATCH)
        labels, delete = (
            sa.delete(table).where(sa.tuple_(table.c.window_start, table.c.workload).in_(some))
            for table in (label_table, score_table)
        )
        gone = 0
        while deleted := self._delete(labels, delete):
            gone += deleted
        if gone:
            self._database.reclaim()
        return gone

    def query(
        self,
        *,
        workload: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        severity: Severity | None = None,
        host: str | None = None,
        technique: str | None = None,
        order: Order = "time",
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Score], str | None]:
        """Read one page of scores.

        Parameters
        ----------
        workload
            Only this workload.
        since, until
            Only windows with since <= start < until.
        severity
            Only scores at least this severe.
        host
            Only windows of workloads that ran on this host.
        technique
            Only scores with a reason that points to this technique.
        order
            `time`: newest first; `bits`: strangest first.
        limit
            Scores on a page, 1 to 1000.
        cursor
            The second value of the page before, for the same filters and order.

        Returns
        -------
        The scores, and the cursor of the next page or None after the last.

        Raises
        ------
        CursorError
            If the cursor does not belong to this query.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit must lie between 1 and {MAX_LIMIT}")
        selection = Selection(workload, since, until, severity, host, technique)
        question = (selection, order)
        place = None if cursor is None else redeem(cursor, question, Position)
        with self._database.reading() as connection:
            rows = connection.execute(_page(selection, order, limit + 1, place)).all()
        page = [_score(row.body, row.revision) for row in rows[:limit]]
        if len(rows) <= limit:
            return page, None
        last = rows[limit - 1]
        value = last.window_start if order == "time" else last.bits
        return page, issue(Position(value, last.window_start, last.workload), question)

    def get(self, workload: str, window_start: datetime) -> Score | None:
        """Read the score of one window, or None."""
        key = (score_table.c.workload == workload) & (score_table.c.window_start == micros(window_start))
        with self._database.reading() as connection:
            row = connection.execute(sa.select(score_table.c.body, score_table.c.revision).where(key)).one_or_none()
        return None if row is None else _score(row.body, row.revision)

    def workloads(self, *, since: datetime | None = None) -> list[dict[str, Any]]:
        """Summarise each workload's stored windows, the strangest workload first.

        Returns
        -------
        Per workload: `workload`, `windows` (how many), `last_window` (RFC 3339) and `strongest_bits`.
        """
        counted = (
            sa.func.count().label("windows"),
            sa.func.max(score_table.c.window_start).label("last"),
            sa.func.max(score_table.c.bits).label("strongest"),
        )
        statement = Selection(since=since).of(score_table.c.workload, *counted)
        statement = statement.group_by(score_table.c.workload).order_by(sa.desc("strongest"), score_table.c.workload)
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [
            {
                "workload": row.workload,
                "windows": row.windows,
                "last_window": from_micros(row.last).isoformat().replace("+00:00", "Z"),
                "strongest_bits": row.strongest,
            }
            for row in rows
        ]

    def names(self) -> list[str]:
        """List every workload that has a stored score, by name; takes a step in the index per workload."""
        first = sa.select(sa.func.min(score_table.c.workload).label("name"))
        found = first.cte("found", recursive=True)
        following = sa.select(sa.func.min(score_table.c.workload)).where(score_table.c.workload > found.c.name)
        found = found.union_all(sa.select(following.scalar_subquery()).where(found.c.name.is_not(None)))
        with self._database.reading() as connection:
            return list(connection.execute(sa.select(found.c.name).where(found.c.name.is_not(None))).scalars())

    def cells(
        self,
        *,
        workloads: Iterable[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        severity: Severity | None = None,
        host: str | None = None,
        technique: str | None = None,
    ) -> list[Cell]:
        """Read scores without their explanation, by workload and time; filters are those of `query`."""
        columns = (score_table.c.workload, score_table.c.window_start, score_table.c.bits, score_table.c.severity)
        statement = Selection(None, since, until, severity, host, technique).of(*columns)
        if workloads is not None:
            statement = statement.where(score_table.c.workload.in_(list(workloads)))
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [Cell(name, from_micros(start), bits, SEVERITIES[code]) for name, start, bits, code in sorted(rows)]

    def span(self) -> tuple[datetime, datetime] | None:
        """Tell the start of the first and of the last stored window, or None when nothing is stored."""
        first_of, last_of = (
            sa.select(end(score_table.c.window_start)).scalar_subquery() for end in (sa.func.min, sa.func.max)
        )
        bounds = sa.select(first_of, last_of)  # two subqueries: each is one step in the index, together a scan
        with self._database.reading() as connection:
            first, last = connection.execute(bounds).one()
        return None if first is None else (from_micros(first), from_micros(last))

    def _delete(self, labels: sa.Delete, scores: sa.Delete) -> int:
        with self._database.writing() as connection:
            connection.execute(labels)
            return connection.execute(scores).rowcount


def _page(selection: Selection, order: Order, limit: int, place: Position | None) -> sa.Select[Any]:
    """Select a page's keys first: sorting them does not move the bodies of all that is selected."""
    keys = selection.keys(score_table.c.bits)
    start, name, bits = keys.selected_columns
    leading = start if order == "time" else bits
    if place is not None:
        keys = keys.where(after(leading, start, name, place))
    page = keys.order_by(leading.desc(), start.desc(), name.asc()).limit(limit).subquery("page")
    own = (score_table.c.workload == page.c.workload) & (score_table.c.window_start == page.c.window_start)
    statement = sa.select(page, score_table.c.body, score_table.c.revision).join_from(page, score_table, own)
    leading = page.c.window_start if order == "time" else page.c.bits
    return statement.order_by(leading.desc(), page.c.window_start.desc(), page.c.workload.asc())


def _row(score: Score) -> dict[str, Any]:
    return {
        "workload": score.workload,
        "window_start": micros(datetime.fromisoformat(score.window_start)),
        "window_end": micros(datetime.fromisoformat(score.window_end)),
        "bits": score.bits,
        "severity": SEVERITIES.index(score.severity),
        "model": score.model,
        "body": msgspec.json.encode(msgspec.structs.replace(score, revision=0), order="deterministic"),
    }


def _score(body: bytes, revision: int) -> Score:
    score = msgspec.json.decode(body, type=Score)
    return msgspec.structs.replace(score, revision=revision) if revision else score


def _batches(scores: Iterable[Score], size: int) -> Iterator[list[Score]]:
    remaining = iter(scores)
    while batch := list(islice(remaining, size)):
        yield batch
