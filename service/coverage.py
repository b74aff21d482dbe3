"""Stored coverage: which source told of which workload, on which host, how often and when."""

from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec
import polars as pl
import sqlalchemy as sa

from service.covered import SILENT_AFTER, SourceCoverage, WorkloadCoverage
from service.cursors import issue, redeem
from service.database import Database
from service.tables import coverage_table, from_micros, heard_table, micros

_C = coverage_table.c
_key = itemgetter("source", "host", "workload")


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last row of a page."""

    workload: str
    source: str
    host: str


class CoverageStore:
    """Coverage by source, host and workload.

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, found: pl.DataFrame) -> None:
        """Keep what the lake holds now (`features.coverage`).

        What was first seen before stays first seen then; of what the lake holds no more there are no events.
        """
        rows = found.with_columns(pl.col("first", "last").to_physical()).to_dicts()
        with self._database.writing() as connection:
            known = {_key(row): dict(row) for row in connection.execute(sa.select(coverage_table)).mappings()}
            for row in rows:
                row["first"] = min(row["first"], known.pop(_key(row), row)["first"])
            rows = sorted([*rows, *(row | {"events": 0} for row in known.values())], key=_key)
            if rows:
                connection.execute(self._database.upsert(coverage_table), rows)

    def forget(self, before: datetime) -> None:
        """Forget what was not heard of since a time."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(coverage_table).where(_C.last < micros(before)))

    def latest(self) -> datetime | None:
        """Give the time of the latest event that was heard of; None before any."""
        with self._database.reading() as connection:
            ends = [connection.execute(sa.select(sa.func.max(of))).scalar() for of in (_C.last, heard_table.c.latest)]
        return max((from_micros(end) for end in ends if end is not None), default=None)

    def sources(
        self, *, source: str | None = None, host: str | None = None, silent_after: timedelta = SILENT_AFTER
    ) -> list[SourceCoverage]:
        """Tell of each source and host, in this order.

        Parameters
        ----------
        silent_after
            How long before the latest event of all the last one must lie.
        """
        nobody = _C.workload == ""
        counts = (
            sa.func.sum(sa.case((nobody, 0), else_=1)).label("workloads"),
            sa.func.sum(_C.events).label("events"),
            sa.func.sum(sa.case((nobody, _C.events), else_=0)).label("unattributed"),
            sa.func.min(_C.first).label("first"),
            sa.func.max(_C.last).label("last"),
        )
        statement = _only(sa.select(_C.source, _C.host, *counts), coverage_table, source=source, host=host)
        heard = _only(sa.select(heard_table), heard_table, source=source, host=host)
        found: dict[tuple[str, str], dict[str, Any]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(statement.group_by(_C.source, _C.host)).mappings():
                found[row["source"], row["host"]] = dict(row)
            for one in connection.execute(heard):
                nothing = {"workloads": 0, "events": 0, "unattributed": 0, "first": None, "last": one.latest}
                known = found.setdefault((one.source, one.host), {"source": one.source, "host": one.host, **nothing})
                known["last"] = max(known["last"], one.latest)
        latest = self.latest()
        return [
            SourceCoverage(
                source=row["source"],
                host=row["host"],
                workloads=int(row["workloads"]),
                events=int(row["events"]),
                unattributed=int(row["unattributed"]),
                first_seen=None if row["first"] is None else from_micros(row["first"]),
                last_seen=from_micros(row["last"]),
                silent_since=_silence(row["last"], latest, silent_after),
            )
            for _, row in sorted(found.items())
        ]

    def workloads(
        self,
        *,
        workload: str | None = None,
        source: str | None = None,
        host: str | None = None,
        silent_after: timedelta = SILENT_AFTER,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[WorkloadCoverage], str | None]:
        """Read a page of what is told of workloads, by workload, source and host; parameters are as of `sources`.

        Returns
        -------
        The page, and the cursor of the next or None after the last.

        Raises
        ------
        CursorError
            If the cursor does not belong to this question.
        """
        question = ("coverage", workload, source, host, silent_after.total_seconds())
        order = (_C.workload, _C.source, _C.host)
        statement = _only(sa.select(coverage_table), coverage_table, workload=workload, source=source, host=host)
        statement = statement.where(_C.workload != "")
        if cursor is not None:
            place = redeem(cursor, question, Place)
            statement = statement.where(sa.tuple_(*order) > sa.tuple_(place.workload, place.source, place.host))
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(*order).limit(limit + 1)).all()
        latest = self.latest()
        page = [
            WorkloadCoverage(
                workload=row.workload,
                source=row.source,
                host=row.host,
                events=row.events,
                first_seen=from_micros(row.first),
                last_seen=from_micros(row.last),
                silent_since=_silence(row.last, latest, silent_after),
            )
            for row in rows[:limit]
        ]
        if len(rows) <= limit:
            return page, None
        return page, issue(Place(page[-1].workload, page[-1].source, page[-1].host), question)


def _only(statement: sa.Select[Any], table: sa.Table, **wanted: str | None) -> sa.Select[Any]:
    return statement.where(*(table.c[name] == value for name, value in wanted.items() if value is not None))


def _silence(last: int, latest: datetime | None, silent_after: timedelta) -> datetime | None:
    return from_micros(last) if latest and latest - from_micros(last) >= silent_after else None
