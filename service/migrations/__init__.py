"""The schema of the database and its revisions, one file each in `versions/`."""

from pathlib import Path

import sqlalchemy as sa

FOLDER = Path(__file__).parent
HEAD = max(path.stem[:4] for path in FOLDER.glob("versions/[0-9]*.py"))
revision_table = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))


class SchemaError(Exception):
    """The schema is newer than this version knows."""


def revision(connection: sa.Connection) -> str | None:
    """Read which revision the schema has; None before any migration."""
    if not sa.inspect(connection).has_table(revision_table.name):
        return None
    return connection.execute(sa.select(revision_table.c.version_num)).scalar()


def is_current(connection: sa.Connection) -> bool:
    """Tell whether the schema is that of this version; False when it is older.

    Raises
    ------
    SchemaError
        If it is newer.
    """
    found = revision(connection) or ""
    if found > HEAD:
        raise SchemaError(f"the schema is {found}, this version knows {HEAD}; upgrade wharfinger")
    return found == HEAD
