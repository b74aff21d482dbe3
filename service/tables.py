"""Tables of the database."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Text(sa.types.TypeDecorator[str]):
    """Text that every dialect keeps and orders alike: by code point, and without NUL, which PostgreSQL refuses."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[str]:
        """Choose an order that does not depend on the server's language."""
        return dialect.type_descriptor(sa.String(collation="C" if dialect.name == "postgresql" else None))

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Put U+FFFD in the place of NUL."""
        del dialect
        return value and value.replace("\0", "\ufffd")


metadata = sa.MetaData()
score_table = sa.Table(
    "scores",
    metadata,
    sa.Column("workload", Text, primary_key=True),
    sa.Column("window_start", sa.BigInteger, primary_key=True),  # µs since 1970, like window_end
    sa.Column("window_end", sa.BigInteger, nullable=False),
    sa.Column("bits", sa.Float, nullable=False),
    sa.Column("severity", sa.SmallInteger, nullable=False),  # index into SEVERITIES
    sa.Column("model", Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the whole Score as JSON, but for its revision
    sa.Column("revision", sa.Integer, nullable=False, server_default="0"),  # how often the body changed
    sa.Index("scores_by_time", "window_start", "workload", "bits", "severity"),
    sa.Index("scores_by_bits", "bits", "window_start", "workload"),
    sa.Index("scores_by_workload", "workload", "window_start", "bits", "severity"),
    # the few windows that incidents are made of; a query must say `severity > 0` to be answered from it
    sa.Index(
        "scores_strange",
        *("window_start", "workload", "bits", "severity"),
        sqlite_where=sa.text("severity > 0"),
        postgresql_where=sa.text("severity > 0"),
    ),
)
# What a score is found by besides its key. A table of its own: a window has several, and each is indexed.
label_table = sa.Table(
    "score_labels",
    metadata,
    sa.Column("workload", Text, primary_key=True),
    sa.Column("window_start", sa.BigInteger, primary_key=True),
    sa.Column("kind", Text, primary_key=True),  # host or technique
    sa.Column("value", Text, primary_key=True),
    sa.Index("score_labels_by_value", "kind", "value", "window_start", "workload"),
    sqlite_with_rowid=False,
)
feedback_table = sa.Table(
    "feedback",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("kind", Text, nullable=False),  # name of the struct that `body` is JSON of
    sa.Column("until", sa.BigInteger, nullable=False),  # µs since 1970
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Index("feedback_by_kind", "kind", "until"),
)
lease_table = sa.Table(
    "leases",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("holder", Text, nullable=False),
    sa.Column("renewals", sa.BigInteger, nullable=False),
)
touched_table = sa.Table(
    "touched_windows",
    metadata,
    sa.Column("window_start", sa.BigInteger, primary_key=True, autoincrement=False),  # µs since 1970
    sa.Column("additions", sa.BigInteger, nullable=False),  # how often events were added to it
    sa.Column("scored_additions", sa.BigInteger, nullable=False),  # those that its scores reflect
    sa.Column("first_scored", sa.BigInteger),  # when, in µs since 1970
)
heard_table = sa.Table(
    "heard",
    metadata,
    sa.Column("source", Text, primary_key=True),
    sa.Column("host", Text, primary_key=True),  # empty where events name none
    sa.Column("latest", sa.BigInteger, nullable=False),  # event time in µs since 1970
)
coverage_table = sa.Table(
    "coverage",
    metadata,
    sa.Column("source", Text, primary_key=True),
    sa.Column("host", Text, primary_key=True),  # empty where it is not known
    sa.Column("workload", Text, primary_key=True),  # empty where nobody is known to be the author
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("first", sa.BigInteger, nullable=False),  # µs since 1970, like last
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Index("coverage_by_workload", "workload", "source", "host"),
)
answer_table = sa.Table(
    "answers",
    metadata,
    sa.Column("key", Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),  # of the request
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("given", sa.BigInteger, nullable=False),  # when, in µs since 1970
    sa.Index("answers_by_time", "given"),
)

# Messages to outputs. One is sent once nothing that its output is to be told of the same alert before it is pending.
outbox_table = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("output", Text, nullable=False),
    sa.Column("alert", Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),  # within output and alert, from 1
    sa.Column("state", Text, nullable=False),  # pending, delivered or dead
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt", sa.BigInteger, nullable=False),  # µs since 1970, like the times below
    sa.Column("leased_until", sa.BigInteger, nullable=False),
    sa.Column("holder", Text, nullable=False),  # who has the lease
    sa.Column("changed", sa.BigInteger, nullable=False),  # when it came into its state
    sa.Column("last_error", Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # the Notice as JSON
    sa.Index("outbox_by_alert", "output", "alert", "sequence"),
    sa.Index("outbox_by_time", "state", "output", "next_attempt"),
)
# What each output knows of which alert.
told_table = sa.Table(
    "told",
    metadata,
    sa.Column("output", Text, primary_key=True),
    sa.Column("alert", Text, primary_key=True),
    sa.Column("until", sa.BigInteger, nullable=False),  # end of the alert, in µs since 1970
    sa.Column("body", sa.LargeBinary, nullable=False),  # Told as JSON
)
key_table = sa.Table(
    "api_keys",
    metadata,
    sa.Column("prefix", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),  # SHA-256 of the key
    sa.Column("scopes", Text, nullable=False),  # separated by spaces
    sa.Column("created", sa.BigInteger, nullable=False),  # µs since 1970, like the following
    sa.Column("expires", sa.BigInteger),
    sa.Column("revoked", sa.BigInteger),
    sa.Column("last_used", sa.BigInteger),
)
audit_table = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),  # µs since 1970
    sa.Column("who", Text, nullable=False),
    sa.Column("origin", Text, nullable=False),
    sa.Column("operation", Text, nullable=False),
    sa.Column("target", Text, nullable=False),
    sa.Column("outcome", sa.SmallInteger, nullable=False),  # HTTP status
)


def micros(moment: datetime) -> int:
    """Count the microseconds since 1970; a naive time is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def from_micros(value: int) -> datetime:
    """Turn microseconds since 1970 into a time in UTC."""
    return _EPOCH + timedelta(microseconds=value)
