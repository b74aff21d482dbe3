"""What there is to do with a database, whatever its dialect."""

import abc
import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.migrations import SchemaError, is_current, revision, revision_table

PATIENCE = 10  # seconds that a writer waits for another


class DatabaseError(Exception):
    """The database cannot be used; the message is one line and says what to do."""


class Database(abc.ABC):
    """Connections to a database; none is opened before it is needed.

    Parameters
    ----------
    url
        Where it is, password included.
    options
        More for `sqlalchemy.create_engine`.

    Notes
    -----
    `docs/database.md` has the rules of transactions.
    """

    def __init__(self, url: sa.URL, **options: Any) -> None:  # noqa: ANN401 -- what SQLAlchemy takes
        self.url = url
        self._engine = sa.create_engine(url, hide_parameters=True, **options)

    @property
    def name(self) -> str:
        """Where it is, without the password."""
        return self.url.render_as_string(hide_password=True)

    @abc.abstractmethod
    def reading(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Read: all that is read within is of one moment, and no writer is waited for."""

    @abc.abstractmethod
    def writing(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Write: committed as a whole at the end, rolled back when an exception passes."""

    @abc.abstractmethod
    def alone(self, tables: Iterable[sa.Table] = ()) -> contextlib.AbstractContextManager[sa.Connection]:
        """Write as the only one that migrates or, if tables are named, as the only one that writes to them."""

    def insert_new(self, table: sa.Table) -> sa.Insert:
        """Insert rows; one whose primary key is taken is left out."""
        return self._insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))

    def upsert(self, table: sa.Table, count: sa.Column[int] | None = None) -> sa.Insert:
        """Insert rows; one whose primary key is taken replaces the row there, if any column differs.

        The number of rows affected is that of those inserted or changed.

        Parameters
        ----------
        count
            Column in which the changes of a row are counted, and which the rows leave out.
        """
        insert = self._insert(table)
        others = [column for column in table.columns if not column.primary_key and column is not count]
        changes: dict[str, sa.ColumnElement[int]] = {} if count is None else {count.name: count + 1}
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={column.name: insert.excluded[column.name] for column in others} | changes,
            where=sa.or_(*(column.is_distinct_from(insert.excluded[column.name]) for column in others)),
        )

    def migrate(self) -> None:
        """Bring the schema up to date; of several processes that start together one does it.

        Raises
        ------
        DatabaseError
            If it cannot be opened, or was written by a newer version.
        """
        with self._opening():
            with self.reading() as connection:
                current = is_current(connection)
            if not current:
                from service.migrations.upgrade import upgrade  # noqa: PLC0415 -- most starts need no alembic

                with self.alone() as connection:
                    if not is_current(connection):
                        upgrade(connection)

    def revision(self) -> str | None:
        """Read which revision the schema has; None before any migration.

        Raises
        ------
        DatabaseError
            If it cannot be opened.
        """
        with self._opening(), self.reading() as connection:
            return revision(connection)

    def check_writable(self) -> None:
        """Take and give back a lock that only writers may have.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If nothing can be written: a full or read-only disk, a standby, or another writer for longer than 10 s.
        """
        with self.writing() as connection:
            connection.execute(sa.select(revision_table.c.version_num).with_for_update())
            connection.rollback()

    @abc.abstractmethod
    def damage(self) -> str | None:
        """Say what of it is damaged on disk, as far as the database itself can tell; None if nothing is."""

    @abc.abstractmethod
    def size(self) -> int:
        """Measure the bytes that it takes on disk."""

    @abc.abstractmethod
    def reclaim(self) -> None:
        """Give room of deleted rows back, so little at a time that nobody waits for long."""

    @abc.abstractmethod
    def vacuum(self) -> None:
        """Rewrite or sweep the tables, and renew what the planner knows of them; may take minutes."""

    def close(self) -> None:
        """Close idle connections; new ones are opened when next used. Call it before forking."""
        self._engine.dispose()

    @abc.abstractmethod
    def count_on(self, connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
        """Let the numbers that new rows are given go on after those of rows that were copied in."""

    @contextlib.contextmanager
    def _opening(self) -> Iterator[None]:
        try:
            yield
        except SchemaError as error:
            raise DatabaseError(f"{self.name}: {error}") from error
        except (sa.exc.DBAPIError, sqlite3.Error, OSError) as error:
            told = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise DatabaseError(f"cannot open the database {self.name}: {told}") from error

    @abc.abstractmethod
    def _insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert: ...
