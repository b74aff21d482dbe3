"""The record of who changed what: one row for every changing call, and never what was in it."""

from datetime import datetime

import sqlalchemy as sa

from service.access.audit_record import AuditRecord
from service.access.redaction import redact
from service.database import Database
from service.tables import audit_table, from_micros, micros

LONGEST = 512


class AuditLog:
    """Records in the database; none is ever changed, and old ones go.

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: AuditRecord) -> None:
        """Keep a record, without keys that stand in an address; texts longer than 512 characters are cut."""
        row = {
            "at": micros(record.at),
            "outcome": record.outcome,
            **{name: redact(getattr(record, name))[:LONGEST] for name in ("who", "origin", "operation", "target")},
        }
        with self._database.writing() as connection:
            connection.execute(sa.insert(audit_table), row)

    def records(self, *, limit: int, before: int | None = None, since: datetime | None = None) -> list[AuditRecord]:
        """List records, the newest first; with `before`, older than the one of that id; with `since`, not earlier."""
        ordered = sa.select(audit_table).order_by(audit_table.c.id.desc()).limit(limit)
        if before is not None:
            ordered = ordered.where(audit_table.c.id < before)
        if since is not None:
            ordered = ordered.where(audit_table.c.at >= micros(since))
        with self._database.reading() as connection:
            rows = connection.execute(ordered).mappings().all()
        return [AuditRecord(**{**row, "at": from_micros(row["at"])}) for row in rows]

    def expire(self, before: datetime) -> int:
        """Delete the records of before a time, and give how many."""
        with self._database.writing() as connection:
            return connection.execute(sa.delete(audit_table).where(audit_table.c.at < micros(before))).rowcount
