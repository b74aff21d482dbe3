"""Messages to outputs, and what each was told."""

import sqlalchemy as sa
from alembic import op

from service import tables

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Keep an outbox."""
    op.create_table(
        "outbox",
        sa.Column("id", tables.Text(), nullable=False),
        sa.Column("output", tables.Text(), nullable=False),
        sa.Column("alert", tables.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("state", tables.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt", sa.BigInteger(), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.Column("holder", tables.Text(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("last_error", tables.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("outbox_by_alert", ["output", "alert", "sequence"], unique=False)
        batch_op.create_index("outbox_by_time", ["state", "output", "next_attempt"], unique=False)

    op.create_table(
        "told",
        sa.Column("output", tables.Text(), nullable=False),
        sa.Column("alert", tables.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("output", "alert"),
    )
