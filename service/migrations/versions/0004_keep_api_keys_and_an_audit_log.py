"""Keep API keys and an audit log."""

import sqlalchemy as sa
from alembic import op

from service import tables

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_keys",
        sa.Column("prefix", tables.Text(), primary_key=True),
        sa.Column("name", tables.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", tables.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("revoked", sa.BigInteger()),
        sa.Column("last_used", sa.BigInteger()),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", tables.Text(), nullable=False),
        sa.Column("origin", tables.Text(), nullable=False),
        sa.Column("operation", tables.Text(), nullable=False),
        sa.Column("target", tables.Text(), nullable=False),
        sa.Column("outcome", sa.SmallInteger(), nullable=False),
    )
