"""Which stored scores a query is about, and where one of its pages begins."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from models.scores import SEVERITIES, Severity
from service.cursors import Position
from service.tables import label_table, micros, score_table


class Selection(NamedTuple):
    """Which scores: of a workload, since <= start < until, at least this severe, on a host, with a technique."""

    workload: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    severity: Severity | None = None
    host: str | None = None
    technique: str | None = None

    def keys(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select `window_start` and `workload`, and columns of `score_table`.

        Where there is a label, both are those of its index, which lies in the order of time.
        """
        tables = self._tables()
        return self._narrow(sa.select(tables[0].c.window_start, tables[0].c.workload, *columns), tables)

    def of(self, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Select columns of `score_table`."""
        return self._narrow(sa.select(*columns), self._tables())

    def _tables(self) -> list[sa.FromClause]:
        return [*(label_table.alias(kind) for kind in self._labels()), score_table]

    def _labels(self) -> dict[str, str]:
        wanted = {"host": self.host, "technique": self.technique}
        return {kind: value for kind, value in wanted.items() if value is not None}

    def _narrow(self, statement: sa.Select[Any], tables: list[sa.FromClause]) -> sa.Select[Any]:
        first, *others = tables
        joined = first
        for other in others:
            same = (other.c.workload == first.c.workload) & (other.c.window_start == first.c.window_start)
            joined = joined.join(other, same)
        statement = statement.select_from(joined)
        for label, (kind, value) in zip(tables, self._labels().items(), strict=False):
            statement = statement.where(label.c.kind == kind, label.c.value == value)
        if self.workload is not None:
            statement = statement.where(first.c.workload == self.workload)
        if self.since is not None:
            statement = statement.where(first.c.window_start >= micros(self.since))
        if self.until is not None:
            statement = statement.where(first.c.window_start < micros(self.until))
        if self.severity is not None and self.severity != SEVERITIES[0]:
            statement = statement.where(
                score_table.c.severity >= SEVERITIES.index(self.severity),
                score_table.c.severity > sa.literal_column("0"),  # as the index of strange windows says
            )
        return statement


def after(
    leading: sa.ColumnElement[Any], start: sa.ColumnElement[Any], name: sa.ColumnElement[Any], place: Position
) -> sa.ColumnElement[bool]:
    """Select what stands after `place`, where `leading` and `start` descend and `name` ascends."""
    later = (start < place.window_start) | ((start == place.window_start) & (name > place.workload))
    return (leading < place.value) | ((leading == place.value) & later)
