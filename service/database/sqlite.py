"""SQLite: a file in the home."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from service.database.connections import PATIENCE, Database


class Sqlite(Database):
    """A file: one writer at a time, whom no reader waits for (WAL). Not on a network file system.

    Parameters
    ----------
    path
        Created if missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(sa.URL.create("sqlite", database=str(path)), connect_args={"isolation_level": None})
        self.path = path
        sa.event.listen(self._engine, "connect", _set_up)
        sa.event.listen(self._engine, "begin", _begin)
        self._writers = self._engine.execution_options(immediate=True)

    def migrate(self) -> None:
        """Make the file if it is missing, and bring its schema up to date."""
        with self._opening():
            _make(self.path)
        super().migrate()

    def reading(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Read as of the first statement."""
        return self._engine.connect()

    def writing(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Write, holding the write lock from the start: what is read within cannot change before the end."""
        return self._writers.begin()

    def alone(self, tables: Iterable[sa.Table] = ()) -> contextlib.AbstractContextManager[sa.Connection]:
        """Write, which only one does at a time."""
        del tables
        return self.writing()

    def copy_to(self, path: Path) -> None:
        """Write all of it, as of this moment, into a file that does not exist yet; writers go on meanwhile."""
        with self._raw() as connection:
            connection.execute("VACUUM INTO ?", (str(path),))

    def damage(self) -> str | None:
        """Read every page and compare them, but for indexes with their tables; takes seconds for a gigabyte."""
        with self.reading() as connection:
            told = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
        return None if told == "ok" else told

    def size(self) -> int:
        """Measure the bytes of the file and of its write-ahead log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(path.stat().st_size for path in files if path.exists())

    def reclaim(self) -> None:
        """Give up to 40 MB of free pages back, a tenth at a time; the rest is for new rows, later calls or `vacuum`."""
        with self._raw() as connection:
            for _ in range(10):
                connection.executescript("PRAGMA incremental_vacuum(1000)")  # `execute` would stop after a page

    def vacuum(self) -> None:
        """Rewrite the file; needs as much room again, and writers wait."""
        with self._raw() as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # for files made before it was asked for
            connection.execute("VACUUM")
            connection.execute("ANALYZE")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _raw(self) -> contextlib.closing[sqlite3.Connection]:
        """Connect for statements that stand in no transaction."""
        return contextlib.closing(sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None))

    def count_on(self, connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
        """Do nothing: a new row gets one more than the largest number."""

    def _insert(self, table: sa.Table) -> sqlite.Insert:
        return sqlite.insert(table)


def _make(path: Path) -> None:
    """Make an empty file that gives free pages back and has a write-ahead log: modes that it keeps.

    It appears with both, because SQLite does not wait when several processes choose the log of one file at once.
    """
    if path.exists():
        return
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, contextlib.suppress(FileExistsError):
        new = Path(folder) / path.name
        with contextlib.closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
        new.chmod(0o600)  # which the log takes over
        os.link(new, path)


def _set_up(connection: Any, _: object) -> None:  # noqa: ANN401 -- a raw DB-API connection
    connection.execute(f"PRAGMA busy_timeout={PATIENCE * 1000}")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: sa.Connection) -> None:
    """Begin a transaction; one that reads before it writes must take the write lock first, or it may fail as stale."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("immediate") else "BEGIN")
