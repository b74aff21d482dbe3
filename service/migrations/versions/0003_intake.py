"""Intake: who leads, what was heard and touched, and answers given; revisions of scores."""

import sqlalchemy as sa
from alembic import op

from service import tables

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables, and count changes of stored scores from now on."""
    op.create_table(
        "leases",
        sa.Column("name", tables.Text(), primary_key=True),
        sa.Column("holder", tables.Text(), nullable=False),
        sa.Column("renewals", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "touched_windows",
        sa.Column("window_start", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("additions", sa.BigInteger(), nullable=False),
        sa.Column("scored_additions", sa.BigInteger(), nullable=False),
        sa.Column("first_scored", sa.BigInteger()),
    )
    op.create_table(
        "heard",
        sa.Column("source", tables.Text(), primary_key=True),
        sa.Column("host", tables.Text(), primary_key=True),
        sa.Column("latest", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "answers",
        sa.Column("key", tables.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("given", sa.BigInteger(), nullable=False),
    )
    op.create_index("answers_by_time", "answers", ["given"])
    op.add_column("scores", sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
