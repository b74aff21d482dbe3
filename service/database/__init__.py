"""The database, SQLite or PostgreSQL: the one place that knows how they differ."""

import re
from pathlib import Path

import sqlalchemy as sa

from service.database.connections import Database, DatabaseError
from service.database.postgresql import Postgresql
from service.database.sqlite import Sqlite

__all__ = ["Database", "DatabaseError", "Postgresql", "Sqlite", "connect"]


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
