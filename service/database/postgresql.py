"""PostgreSQL: a database on a server, through psycopg."""

import contextlib
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from service.database.connections import PATIENCE, Database, DatabaseError

_MIGRATION = 0x77686172  # the advisory lock under which schemas change


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

    def reading(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Read from a snapshot."""
        return self._snapshots.connect()

    def writing(self) -> contextlib.AbstractContextManager[sa.Connection]:
        """Write; rows that are read within may change before the end, unless they are selected `FOR UPDATE`."""
        return self._engine.begin()

    @contextlib.contextmanager
    def alone(self, tables: Iterable[sa.Table] = ()) -> Iterator[sa.Connection]:
        """Write under the lock of migrations, and keep writers off the tables; readers go on."""
        with self.writing() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION)))
            for table in tables:
                connection.exec_driver_sql(f'LOCK TABLE "{table.name}" IN EXCLUSIVE MODE')
            yield connection

    def damage(self) -> str | None:
        """Tell how many pages failed their checksum; nothing is known where the server keeps none."""
        failed = sa.text("SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()")
        with self.reading() as connection:
            count = connection.execute(failed).scalar_one_or_none()
        return f"{count} pages failed their checksum" if count else None

    def size(self) -> int:
        """Measure the bytes of the whole database on the server."""
        with self.reading() as connection:
            return int(connection.execute(sa.select(sa.func.pg_database_size(sa.func.current_database()))).scalar_one())

    def reclaim(self) -> None:
        """Leave it to the server's autovacuum."""

    def vacuum(self) -> None:
        """Sweep all tables; nobody waits."""
        with self._engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE)")

    def count_on(self, connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
        """Set the sequences."""
        for table in tables:
            if (column := table.autoincrement_column) is not None:
                sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
                connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(column))))

    def _insert(self, table: sa.Table) -> postgresql.Insert:
        return postgresql.insert(table)
