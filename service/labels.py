"""What stored scores are found by besides their key: hosts of the workload, and techniques of the reasons."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from models.scores import Score
from service.database import Database
from service.tables import label_table, micros

Hosts = Mapping[tuple[str, datetime], Collection[str]]
"""Names of hosts by workload and start of the window."""


Label = tuple[str, int, str, str]
"""A row of `label_table`: workload, start of the window in µs since 1970, `host` or `technique`, and which."""
_COLUMNS = tuple(column.name for column in label_table.c)
_OLD = tuple(f"old_{name}" for name in _COLUMNS)


def labels(score: Score, start: datetime, hosts: Hosts) -> Iterator[Label]:
    """Give the labels of a score, which may repeat; techniques of explained reasons are among them.

    Parameters
    ----------
    start
        Of its window.
    """
    workload, place = score.workload, micros(start)
    for host in hosts.get((workload, start), ()):
        yield workload, place, "host", host
    if workload.startswith("host:"):
        yield workload, place, "host", workload.removeprefix("host:")
    for reason in score.reasons:
        if reason.technique:
            yield workload, place, "technique", reason.technique


def relabel(database: Database, connection: sa.Connection, scores: Collection[Score], hosts: Hosts) -> None:
    """Bring the labels of some scores up to date; what stands already is not written again."""
    starts = [datetime.fromisoformat(score.window_start) for score in scores]
    wanted = {label for score, start in zip(scores, starts, strict=True) for label in labels(score, start, hosts)}
    names = {score.workload for score in scores}
    found = _stored(connection, names, min(starts), max(starts))
    if other := found - wanted:
        keys = {(score.workload, micros(start)) for score, start in zip(scores, starts, strict=True)}
        stale = [dict(zip(_OLD, label, strict=True)) for label in sorted(other) if label[:2] in keys]
        if stale:
            same = (column == sa.bindparam(f"old_{column.name}") for column in label_table.c)
            connection.execute(sa.delete(label_table).where(*same), stale)
    if fresh := wanted - found:
        rows = [dict(zip(_COLUMNS, label, strict=True)) for label in sorted(fresh)]
        connection.execute(database.insert_new(label_table), rows)


def hosts_of(database: Database, workload: str, since: datetime, until: datetime) -> list[str]:
    """List the hosts that ran a workload in windows that start at `since` or later and before `until`, by name."""
    hosts = sa.select(label_table.c.value).where(label_table.c.workload == workload, label_table.c.kind == "host")
    within = (label_table.c.window_start >= micros(since)) & (label_table.c.window_start < micros(until))
    with database.reading() as connection:
        return list(connection.execute(hosts.where(within).distinct().order_by(label_table.c.value)).scalars())


def _stored(connection: sa.Connection, names: Collection[str], first: datetime, last: datetime) -> set[Label]:
    """Read the labels of some workloads over a span: no dialect looks pairs up in the index."""
    inside = label_table.c.window_start.between(micros(first), micros(last))
    statement = sa.select(label_table).where(label_table.c.workload.in_(sorted(names)), inside)
    return {(name, start, kind, value) for name, start, kind, value in connection.execute(statement)}
