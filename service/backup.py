"""Backups: the rows of a database in one SQLite file, whichever dialect they come from and whichever they go to."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from service.database import Database, Sqlite
from service.migrations import SchemaError, is_current
from service.tables import metadata, score_table

BATCH = 2_000


class BackupError(Exception):
    """A backup cannot be made or restored; the message is one line and says what to do."""


def back_up(database: Database, path: Path) -> None:
    """Write the rows as of this moment into a new file (0600); whoever reads or writes meanwhile goes on.

    Parameters
    ----------
    database
        Up to date.
    path
        Appears when it is whole.

    Raises
    ------
    BackupError
        If there is such a file already.
    """
    if path.exists():
        raise BackupError(f"{path} exists already (name another file)")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / "whole.db"
        if isinstance(database, Sqlite):
            database.copy_to(whole)
        else:
            with closing(Sqlite(Path(folder) / "rows.db")) as rows:
                rows.migrate()
                with database.reading() as source, rows.writing() as target:
                    copy_rows(source, target, metadata.sorted_tables)
                rows.copy_to(whole)
        whole.chmod(0o600)
        with whole.open("rb+") as file:
            os.fsync(file.fileno())
        whole.rename(path)


def restore(database: Database, path: Path, *, replace: bool = False) -> int:
    """Put the rows of a backup in the place of those that there are, in one transaction; gives how many.

    Whoever reads meanwhile sees the rows of before, and writers wait.

    Parameters
    ----------
    database
        Up to date.
    path
        A backup of this or an earlier version; it is left as it is.
    replace
        Whether rows that there are may be lost.

    Raises
    ------
    BackupError
        If the file is no backup, or is newer than this version, or rows would be lost.
    """
    tables = metadata.sorted_tables
    with tempfile.TemporaryDirectory() as folder, closing(Sqlite(Path(folder) / "backup.db")) as backup:
        shutil.copyfile(path, backup.path)
        _check(backup, path)
        backup.migrate()
        with backup.reading() as source, database.alone(tables) as target:
            if not replace and any(target.execute(sa.select(sa.exists(table.select()))).scalar() for table in tables):
                raise BackupError(f"{database.name} is not empty (say --replace to lose what is in it)")
            for table in reversed(tables):
                target.execute(table.delete())
            copied = copy_rows(source, target, tables)
            database.count_on(target, tables)
    return copied


def copy_rows(source: sa.Connection, target: sa.Connection, tables: Iterable[sa.Table]) -> int:
    """Copy every row of some tables, of which those referred to come first; gives how many."""
    copied = 0
    for table in tables:
        rows = source.execution_options(yield_per=BATCH).execute(table.select()).mappings()
        for batch in rows.partitions():
            target.execute(table.insert(), [dict(row) for row in batch])
            copied += len(batch)
    return copied


def _check(backup: Sqlite, path: Path) -> None:
    """Refuse what is damaged, of another program, or newer."""
    try:
        with backup.reading() as connection:
            intact = connection.exec_driver_sql("PRAGMA quick_check").scalar() == "ok"
            ours = sa.inspect(connection).has_table(score_table.name)
            is_current(connection)
    except sa.exc.DBAPIError:
        intact = ours = False
    except SchemaError as error:
        raise BackupError(f"{path}: {error}") from error
    if not (intact and ours):
        raise BackupError(f"{path} is {'damaged' if ours else 'no backup of a database'} (name another file)")
