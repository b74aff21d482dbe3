"""Scores, and what people say of them."""

import sqlalchemy as sa
from alembic import op

from service import tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables; a database of before there were migrations has them, or some, and one that says so."""
    op.create_table(
        "scores",
        sa.Column("workload", tables.Text(), primary_key=True),
        sa.Column("window_start", sa.BigInteger(), primary_key=True),
        sa.Column("window_end", sa.BigInteger(), nullable=False),
        sa.Column("bits", sa.Float(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("model", tables.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        if_not_exists=True,
    )
    for name, columns in {
        "scores_by_time": ["window_start", "workload", "bits", "severity"],
        "scores_by_bits": ["bits", "window_start", "workload"],
        "scores_by_workload": ["workload", "window_start", "bits", "severity"],
    }.items():
        op.create_index(name, "scores", columns, if_not_exists=True)
    op.create_table(
        "feedback",
        sa.Column("id", tables.Text(), primary_key=True),
        sa.Column("kind", tables.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("feedback_by_kind", "feedback", ["kind", "until"], if_not_exists=True)
    op.execute("DROP TABLE IF EXISTS meta")
