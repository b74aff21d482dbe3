"""Windows that intake added events to: which are to be scored, and which were."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from features.windows import WINDOW
from service.database import Database
from service.tables import from_micros, micros, touched_table


class Touched(NamedTuple):
    """A window and how often events were added to it."""

    start: datetime
    additions: int


class Backlog(NamedTuple):
    """How many windows wait to be scored, and how many have events that came too late for it."""

    waiting: int
    late: int


class TouchedWindows:
    """Windows with events of which their scores may know nothing yet.

    Parameters
    ----------
    database
        Up to date.
    reopen
        For how long after its first scoring a window is scored again when events are added to it.
    """

    def __init__(self, database: Database, *, reopen: timedelta) -> None:
        self._database = database
        self._reopen = reopen

    def touch(self, starts: Iterable[datetime]) -> None:
        """Note that events are about to be added to these windows."""
        rows = [{"window_start": micros(start), "additions": 0, "scored_additions": 0} for start in sorted(set(starts))]
        if not rows:
            return
        count = sa.update(touched_table).where(touched_table.c.window_start == sa.bindparam("start"))
        count = count.values(additions=touched_table.c.additions + 1)
        with self._database.writing() as connection:
            connection.execute(self._database.insert_new(touched_table), rows)
            connection.execute(count, [{"start": row["window_start"]} for row in rows])

    def due(self, closed: datetime, now: datetime) -> list[Touched]:
        """List the windows that end by `closed` and are to be scored, by time."""
        ended = touched_table.c.window_start <= micros(closed - WINDOW)
        statement = sa.select(touched_table.c.window_start, touched_table.c.additions)
        statement = statement.where(ended, _changed(), ~self._final(now)).order_by(touched_table.c.window_start)
        with self._database.reading() as connection:
            return [Touched(from_micros(start), count) for start, count in connection.execute(statement)]

    def scored(self, windows: Iterable[Touched], now: datetime) -> None:
        """Note that scores of these windows reflect what had been added to them."""
        statement = (
            sa.update(touched_table)
            .where(touched_table.c.window_start == sa.bindparam("start"))
            .values(
                scored_additions=sa.bindparam("count"),
                first_scored=sa.func.coalesce(touched_table.c.first_scored, micros(now)),
            )
        )
        rows = [{"start": micros(one.start), "count": one.additions} for one in windows]
        if rows:
            with self._database.writing() as connection:
                connection.execute(statement, rows)

    def backlog(self, now: datetime) -> Backlog:
        """Count the windows whose scores do not reflect all that was added to them."""
        final = sa.case((self._final(now), 1), else_=0)
        statement = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(final), 0)).where(_changed())
        with self._database.reading() as connection:
            every, late = connection.execute(statement).one()
        return Backlog(int(every) - int(late), int(late))

    def forget(self, before: datetime) -> None:
        """Forget the windows that start before a time."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(touched_table).where(touched_table.c.window_start < micros(before)))

    def _final(self, now: datetime) -> sa.ColumnElement[bool]:
        first = touched_table.c.first_scored
        return sa.func.coalesce(first, micros(now)) < micros(now - self._reopen)


def _changed() -> sa.ColumnElement[bool]:
    return touched_table.c.additions > touched_table.c.scored_additions
