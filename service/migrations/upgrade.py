"""Runs alembic on a connection."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from service.migrations import FOLDER, HEAD


def upgrade(connection: sa.Connection, target: str = HEAD) -> None:
    """Migrate to a revision, within the transaction of the connection, whose owner keeps others off."""
    command.upgrade(configured(connection), target)


def configured(connection: sa.Connection) -> Config:
    """Tell alembic where the revisions lie and which connection to use."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config
