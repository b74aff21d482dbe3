"""Find scores by host and by technique; keep what the telemetry covers."""

import sqlalchemy as sa
from alembic import op

from service import tables

revision = "0005"
down_revision = "0004"

# Of scores that are stored already the techniques are known, and hosts not before they are scored again. PostgreSQL
# refuses JSON with an escaped NUL, so the text is searched: within a string the quotes would be escaped.
_TECHNIQUES = {
    "sqlite": """
        INSERT INTO score_labels (workload, window_start, kind, value)
        SELECT DISTINCT workload, window_start, 'technique', json_extract(reason.value, '$.technique')
        FROM scores, json_each(CAST(body AS TEXT), '$.reasons') AS reason
        WHERE json_extract(reason.value, '$.technique') <> ''
    """,
    "postgresql": """
        INSERT INTO score_labels (workload, window_start, kind, value)
        SELECT DISTINCT workload, window_start, 'technique', found[1]
        FROM scores, regexp_matches(convert_from(body, 'UTF8'), '"technique":"([^"]+)"', 'g') AS found
    """,
}


def upgrade() -> None:
    """Make the tables, fill labels as far as they can be known, and set strange windows apart."""
    op.create_table(
        "score_labels",
        sa.Column("workload", tables.Text(), primary_key=True),
        sa.Column("window_start", sa.BigInteger(), primary_key=True),
        sa.Column("kind", tables.Text(), primary_key=True),
        sa.Column("value", tables.Text(), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("score_labels_by_value", "score_labels", ["kind", "value", "window_start", "workload"])
    strange = sa.text("severity > 0")
    columns = ["window_start", "workload", "bits", "severity"]
    op.create_index("scores_strange", "scores", columns, sqlite_where=strange, postgresql_where=strange)
    op.create_table(
        "coverage",
        sa.Column("source", tables.Text(), primary_key=True),
        sa.Column("host", tables.Text(), primary_key=True),
        sa.Column("workload", tables.Text(), primary_key=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.create_index("coverage_by_workload", "coverage", ["workload", "source", "host"])
    op.execute(_TECHNIQUES[op.get_bind().dialect.name])
