"""Writes the next migration: `python -m service.migrations "keep api keys"`, after a table was declared or changed."""

import sys

import sqlalchemy as sa
from alembic import command

from service.migrations import HEAD
from service.migrations.upgrade import configured, upgrade

if len(sys.argv) != 2 or sys.argv[1].startswith("-"):  # noqa: PLR2004 -- the program and what it is told
    sys.exit('usage: python -m service.migrations "what changes, in a few words"')
with sa.create_engine("sqlite://").begin() as connection:
    upgrade(connection)
    command.revision(configured(connection), sys.argv[1], autogenerate=True, rev_id=f"{int(HEAD) + 1:04}")
