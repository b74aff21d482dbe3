"""What stored scores are found by besides their key: hosts of the workload, and techniques of the reasons."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

import sqlalchemy as sa

from models.scores import Score
from service.database import Database
from service.tables import label_table, micros

Hosts = Mapping[tuple[str, datetime], Collection[str]]
"""Names of hosts by workload and start of the window."""


class Label(NamedTuple):
    """A row of `label_table`."""

    workload: str
    window_start: int
    kind: Literal["host", "technique"]
    value: str


def labels(score: Score, hosts: Hosts) -> set[Label]:
    """Give the labels of a score; techniques of explained reasons are among them."""
    start = datetime.fromisoformat(score.window_start)
    place = (score.workload, micros(start))
    named = {Label(*place, "host", host) for host in hosts.get((score.workload, start), ())}
    if score.workload.startswith("host:"):
        named.add(Label(*place, "host", score.workload.removeprefix("host:")))
    return named | {Label(*place, "technique", reason.technique) for reason in score.reasons if reason.technique}


def relabel(database: Database, connection: sa.Connection, scores: Collection[Score], hosts: Hosts) -> None:
    """Bring the labels of some scores up to date; what stands already is not written again."""
    wanted = {label for score in scores for label in labels(score, hosts)}
    keys = {(score.workload, micros(datetime.fromisoformat(score.window_start))) for score in scores}
    found = {label for label in _stored(connection, keys) if label[:2] in keys}
    if stale := found - wanted:
        same = (column == sa.bindparam(f"old_{column.name}") for column in label_table.c)
        rows = [{f"old_{name}": value for name, value in label._asdict().items()} for label in sorted(stale)]
        connection.execute(sa.delete(label_table).where(*same), rows)
    if fresh := wanted - found:
        connection.execute(database.insert_new(label_table), [label._asdict() for label in sorted(fresh)])


def hosts_of(database: Database, workload: str, since: datetime, until: datetime) -> list[str]:
    """List the hosts that ran a workload in windows that start at `since` or later and before `until`, by name."""
    hosts = sa.select(label_table.c.value).where(label_table.c.workload == workload, label_table.c.kind == "host")
    within = (label_table.c.window_start >= micros(since)) & (label_table.c.window_start < micros(until))
    with database.reading() as connection:
        return list(connection.execute(hosts.where(within).distinct().order_by(label_table.c.value)).scalars())


def _stored(connection: sa.Connection, keys: Collection[tuple[str, int]]) -> Iterable[Label]:
    names, starts = {name for name, _ in keys}, [start for _, start in keys]
    inside = label_table.c.window_start.between(min(starts), max(starts))  # no dialect looks pairs up in the index
    statement = sa.select(label_table).where(label_table.c.workload.in_(sorted(names)), inside)
    return (Label(*row) for row in connection.execute(statement))
