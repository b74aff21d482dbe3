"""${message[:1].upper()}${message[1:]}."""

import sqlalchemy as sa
from alembic import op

from service import tables

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """${message[:1].upper()}${message[1:]}."""
    ${upgrades}
