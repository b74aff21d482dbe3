"""Stored scores: written once per window, read by page, by workload and by time."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from models.scores import SEVERITIES, Score, Severity
from service.cursors import CursorError, Position, issue, redeem
from service.database import Database
from service.tables import after, conditions, from_micros, micros, score_table

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

    def replace(self, scores: Iterable[Score], *, confirm: Callable[[sa.Connection], None] = lambda _: None) -> int:
        """Insert scores; one already stored for the same window is replaced, and its revision counted.

        Parameters
        ----------
        confirm
            Called within each transaction; what it raises undoes that one and ends it.

        Returns
        -------
        How many are new or differ from what was stored: storing the same scores twice gives 0 the second time.
        """
        upsert = self._database.upsert(score_table, count=score_table.c.revision)
        changed = 0
        for batch in _batches(map(_row, scores), BATCH):
            batch.sort(key=itemgetter("workload", "window_start"))  # PostgreSQL: two in different order would deadlock
            with self._database.writing() as connection:
                confirm(connection)
                changed += connection.execute(upsert, batch).rowcount
        return changed

    def expire(self, before: datetime) -> int:
        """Delete the scores of windows that start before a time, a few thousand in a transaction; give how many."""
        key = (score_table.c.workload, score_table.c.window_start)
        some = sa.select(*key).where(score_table.c.window_start < micros(before)).limit(BATCH)
        delete = sa.delete(score_table).where(sa.tuple_(*key).in_(some))
        gone = 0
        while deleted := self._delete(delete):
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
        question = (workload, since, until, severity, order)
        leading = score_table.c.window_start if order == "time" else score_table.c.bits
        statement = sa.select(
            leading, *(score_table.c[name] for name in ("window_start", "workload", "body", "revision"))
        )
        statement = statement.where(*conditions(workload, since, until, severity))
        if cursor is not None:
            statement = statement.where(after(leading, redeem(cursor, question)))
        statement = statement.order_by(leading.desc(), score_table.c.window_start.desc(), score_table.c.workload.asc())
        with self._database.reading() as connection:
            rows = connection.execute(statement.limit(limit + 1)).all()
        page = [_score(row.body, row.revision) for row in rows[:limit]]
        if len(rows) <= limit:
            return page, None
        value, start, name, *_ = rows[limit - 1]
        return page, issue(Position(value, start, name), question)

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
        statement = (
            sa.select(
                score_table.c.workload,
                sa.func.count().label("windows"),
                sa.func.max(score_table.c.window_start).label("last"),
                sa.func.max(score_table.c.bits).label("strongest"),
            )
            .where(*conditions(None, since, None, None))
            .group_by(score_table.c.workload)
            .order_by(sa.desc("strongest"), score_table.c.workload)
        )
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
    ) -> list[Cell]:
        """Read scores without their explanation, by workload and time, for pictures and counts.

        The parameters are those of `query`.
        """
        columns = (score_table.c.workload, score_table.c.window_start, score_table.c.bits, score_table.c.severity)
        statement = sa.select(*columns).where(*conditions(None, since, until, severity))
        if workloads is not None:
            statement = statement.where(score_table.c.workload.in_(list(workloads)))
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(score_table.c.workload, score_table.c.window_start)).all()
        return [Cell(name, from_micros(start), bits, SEVERITIES[code]) for name, start, bits, code in rows]

    def span(self) -> tuple[datetime, datetime] | None:
        """Tell the start of the first and of the last stored window, or None when nothing is stored."""
        first_of, last_of = (
            sa.select(end(score_table.c.window_start)).scalar_subquery() for end in (sa.func.min, sa.func.max)
        )
        bounds = sa.select(first_of, last_of)  # two subqueries: each is one step in the index, together a scan
        with self._database.reading() as connection:
            first, last = connection.execute(bounds).one()
        return None if first is None else (from_micros(first), from_micros(last))

    def _delete(self, statement: sa.Delete) -> int:
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount


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


def _batches(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch
