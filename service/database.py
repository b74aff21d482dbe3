"""The database, SQLite or PostgreSQL: the one place that knows how they differ."""

import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.migrations import SchemaError, is_current, revision_table

PATIENCE = 10  # seconds that a writer waits for another
_MIGRATION = 0x77686172  # the advisory lock of PostgreSQL under which schemas change


class DatabaseError(Exception):
    """The database cannot be used; the message is one line and says what to do."""


class Database:
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

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Read: all that is read within is of one moment, and no writer is waited for."""
        with self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Write: committed as a whole at the end, rolled back when an exception passes."""
        with self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self, tables: Iterable[sa.Table] = ()) -> Iterator[sa.Connection]:
        """Write as the only one that migrates or, if tables are named, as the only one that writes to them."""
        del tables
        with self.writing() as connection:
            yield connection

    def upsert(self, table: sa.Table) -> sa.Insert:
        """Insert rows; one whose primary key is taken replaces the row there, if any column differs.

        The number of rows affected is that of those inserted or changed.
        """
        insert = self._insert(table)
        others = [column for column in table.columns if not column.primary_key]
        return insert.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={column.name: insert.excluded[column.name] for column in others},
            where=sa.or_(*(column.is_distinct_from(insert.excluded[column.name]) for column in others)),
        )

    def migrate(self) -> None:
        """Bring the schema up to date; of several processes that start together one does it.

        Raises
        ------
        DatabaseError
            If it cannot be opened, or was written by a newer version.
        """
        try:
            self._prepare()
            with self.reading() as connection:
                current = is_current(connection)
            if not current:
                from service.migrations.upgrade import upgrade  # noqa: PLC0415 -- most starts need no alembic

                with self.alone() as connection:
                    if not is_current(connection):
                        upgrade(connection)
        except SchemaError as error:
            raise DatabaseError(f"{self.name}: {error}") from error
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            told = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise DatabaseError(f"cannot open the database {self.name}: {told}") from error

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

    def size(self) -> int:
        """Measure the bytes that it takes on disk."""
        raise NotImplementedError

    def reclaim(self) -> None:
        """Give room of deleted rows back, as far as that blocks nobody."""

    def vacuum(self) -> None:
        """Rewrite or sweep the tables, and renew what the planner knows of them; may take minutes."""
        raise NotImplementedError

    def close(self) -> None:
        """Close idle connections; new ones are opened when next used. Call it before forking."""
        self._engine.dispose()

    def _prepare(self) -> None:
        """Make what must be there before the first connection."""

    def _insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        raise NotImplementedError


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

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Write, holding the write lock from the start: what is read within cannot change before the end."""
        with self._engine.execution_options(immediate=True).begin() as connection:
            yield connection

    def copy_to(self, path: Path) -> None:
        """Write all of it, as of this moment, into a file that does not exist yet; writers go on meanwhile."""
        with self._raw() as connection:
            connection.execute("VACUUM INTO ?", (str(path),))

    def size(self) -> int:
        """Measure the bytes of the file and of its write-ahead log."""
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(path.stat().st_size for path in files if path.exists())

    def reclaim(self) -> None:
        """Give free pages back to the file system."""
        with self._raw() as connection:
            connection.execute("PRAGMA incremental_vacuum").fetchall()  # each row is a page

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

    def _prepare(self) -> None:
        with self._raw() as connection:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # can be chosen before the first table only
            connection.execute("PRAGMA journal_mode=WAL")  # kept in the file, like the former

    def _insert(self, table: sa.Table) -> sqlite.Insert:
        return sqlite.insert(table)


class Postgresql(Database):
    """A database on a PostgreSQL server.

    Parameters
    ----------
    url
        For psycopg.

    Raises
    ------
    DatabaseError
        If psycopg is not installed.
    """

    def __init__(self, url: sa.URL) -> None:
        settings = {"application_name": "wharfinger", "options": f"-c lock_timeout={PATIENCE}s", "connect_timeout": 10}
        try:
            super().__init__(
                url, pool_pre_ping=True, connect_args=settings, execution_options={"preserve_rowcount": True}
            )
        except ModuleNotFoundError:
            raise DatabaseError("PostgreSQL needs psycopg (pip install 'psycopg[binary]')") from None
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Read from a snapshot."""
        with self._snapshots.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self, tables: Iterable[sa.Table] = ()) -> Iterator[sa.Connection]:
        """Write under the lock of migrations, and keep writers off the tables; readers go on."""
        with self.writing() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION)))
            for table in tables:
                connection.exec_driver_sql(f'LOCK TABLE "{table.name}" IN EXCLUSIVE MODE')
            yield connection

    def size(self) -> int:
        """Measure the bytes of the whole database on the server."""
        with self.reading() as connection:
            return int(connection.execute(sa.select(sa.func.pg_database_size(sa.func.current_database()))).scalar_one())

    def vacuum(self) -> None:
        """Sweep all tables; nobody waits."""
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")

    def _insert(self, table: sa.Table) -> postgresql.Insert:
        return postgresql.insert(table)


def connect(address: str, home: Path) -> Database:
    """Choose the dialect of an address; nothing is opened yet.

    Parameters
    ----------
    address
        `sqlite:///FILE` (relative to the home) or `postgresql://USER:PASSWORD@HOST/NAME`; empty: a file in the home.
    home
        The home directory.

    Raises
    ------
    DatabaseError
        If it is neither; the message does not repeat it, since it may hold a password.
    """
    if not address:
        return Sqlite(home / "wharfinger.db")
    try:
        url = sa.make_url(re.sub(r"^postgres(ql)?:", "postgresql+psycopg:", address))
    except (sa.exc.ArgumentError, ValueError):
        url = None
    if url is not None and url.drivername == "sqlite" and url.database:
        return Sqlite(home / url.database)
    if url is not None and url.drivername == "postgresql+psycopg":
        return Postgresql(url)
    raise DatabaseError("database_url is no address (give sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME)")


def _set_up(connection: Any, _: object) -> None:  # noqa: ANN401 -- a raw DB-API connection
    connection.execute(f"PRAGMA busy_timeout={PATIENCE * 1000}")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin(connection: sa.Connection) -> None:
    """Begin a transaction; one that reads before it writes must take the write lock first, or it may fail as stale."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("immediate") else "BEGIN")
