"""The outbox: messages to outputs, kept in the database until they are delivered, and what outputs were told so far."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from service.database import Database
from service.outputs.notices import Notice, Told
from service.tables import from_micros, micros, outbox_table, told_table

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
KEEP_DELIVERED = timedelta(days=7)
KEEP_DEAD = timedelta(days=30)
_MAX_ERROR = 500


class Message(NamedTuple):
    """A message in the outbox; `attempts` counts those begun."""

    id: str
    output: str
    notice: Notice
    attempts: int
    changed: datetime
    last_error: str


class Outbox:
    """Messages by output and alert, in order.

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, connection: sa.Connection, output: str) -> list[Told]:
        """Read what an output knows, by start of the alerts."""
        statement = sa.select(told_table.c.body).where(told_table.c.output == output)
        found = [msgspec.json.decode(body, type=Told) for body in connection.execute(statement).scalars()]
        return sorted(found, key=lambda one: one.notice.alert.start)

    def tell(self, connection: sa.Connection, output: str, steps: Sequence[Told], *, fresh: Collection[str]) -> None:
        """Keep what an output is told from now on, and the messages that tell it.

        Parameters
        ----------
        steps
            What it will know, in order.
        fresh
            Ids of the messages among them that are to be sent.
        """
        for told in steps:
            alert = {"output": output, "alert": told.notice.alert.id}
            until = micros(datetime.fromisoformat(told.end))
            row = alert | {"until": until, "body": msgspec.json.encode(told)}
            connection.execute(self._database.upsert(told_table), row)
            if told.notice.id in fresh:
                connection.execute(sa.insert(outbox_table), alert | _row(told.notice))

    def forget(self, connection: sa.Connection, before: datetime) -> None:
        """Forget what outputs were told of alerts that ended before a time."""
        connection.execute(sa.delete(told_table).where(told_table.c.until < micros(before)))

    def claim(self, output: str, *, now: datetime, lease: timedelta, holder: str) -> Message | None:
        """Take the next message that is due; others leave it alone until the lease is over.

        Of one alert only the earliest pending message is ever given.

        Returns
        -------
        The message, its attempt counted, or None when nothing is due.
        """
        own, moment = outbox_table.c, micros(now)
        earlier = outbox_table.alias()
        blocked = sa.exists().where(
            (earlier.c.output == own.output)
            & (earlier.c.alert == own.alert)
            & (earlier.c.sequence < own.sequence)
            & (earlier.c.state == PENDING)
        )
        due = (own.state == PENDING) & (own.output == output) & (own.next_attempt <= moment)
        head = (
            sa.select(own.id)
            .where(due & (own.leased_until <= moment) & ~blocked)
            .order_by(own.next_attempt, own.sequence)
            .limit(1)
        )
        with self._database.reading() as connection:  # mostly nothing is due, and nobody need be kept waiting
            if connection.execute(head).scalar() is None:
                return None
        with self._database.writing() as connection:
            found = connection.execute(head.with_for_update(skip_locked=True)).scalar()
            if found is None:
                return None
            lent = {"leased_until": micros(now + lease), "holder": holder, "attempts": own.attempts + 1}
            connection.execute(sa.update(outbox_table).where(own.id == found).values(lent))
            return _message(connection.execute(sa.select(outbox_table).where(own.id == found)).one())

    def settle(self, message: Message, state: str, *, now: datetime, holder: str, error: str = "") -> None:
        """End an attempt in `DELIVERED` or `DEAD`; whoever lost the lease meanwhile changes nothing."""
        values = {"state": state, "changed": micros(now), "leased_until": 0, "last_error": error[:_MAX_ERROR]}
        self._update(message, holder, values)

    def postpone(self, message: Message, until: datetime, *, holder: str, error: str) -> None:
        """End an attempt that failed; the next is made at `until`."""
        values = {"next_attempt": micros(until), "leased_until": 0, "last_error": error[:_MAX_ERROR]}
        self._update(message, holder, values)

    def tidy(self, known: Collection[str], *, now: datetime) -> None:
        """Give up messages to outputs that are not `known` any more, and delete what was over long ago.

        What was delivered is kept for a week, and what is dead for 30 days.
        """
        own = outbox_table.c
        lost = (own.state == PENDING) & own.output.not_in(list(known))
        given_up = {
            "state": DEAD,
            "changed": micros(now),
            "last_error": "no output of this name is configured any more",
        }
        with self._database.writing() as connection:
            connection.execute(sa.update(outbox_table).where(lost).values(given_up))
            for state, kept in ((DELIVERED, KEEP_DELIVERED), (DEAD, KEEP_DEAD)):
                old = (own.state == state) & (own.changed < micros(now - kept))
                connection.execute(sa.delete(outbox_table).where(old))

    def counts(self) -> dict[tuple[str, str], int]:
        """Count the messages by output and state."""
        own = outbox_table.c
        statement = sa.select(own.output, own.state, sa.func.count()).group_by(own.output, own.state)
        with self._database.reading() as connection:
            return {(output, state): count for output, state, count in connection.execute(statement)}

    def dead_letters(self, limit: int) -> list[Message]:
        """List the messages that were given up, the latest first."""
        own = outbox_table.c
        statement = sa.select(outbox_table).where(own.state == DEAD).order_by(own.changed.desc(), own.id).limit(limit)
        with self._database.reading() as connection:
            return [_message(row) for row in connection.execute(statement)]

    def retry(self, *, now: datetime) -> int:
        """Make dead letters due again, unless a later message of their alert has overtaken them; give how many."""
        own, later = outbox_table.c, outbox_table.alias()
        overtaken = sa.exists().where(
            (later.c.output == own.output)
            & (later.c.alert == own.alert)
            & (later.c.sequence > own.sequence)
            & ((later.c.state == DELIVERED) | (later.c.leased_until > 0))
        )
        values = {"state": PENDING, "attempts": 0, "next_attempt": micros(now), "changed": micros(now)}
        with self._database.alone([outbox_table]) as connection:
            statement = sa.update(outbox_table).where((own.state == DEAD) & ~overtaken).values(values)
            return connection.execute(statement).rowcount

    def _update(self, message: Message, holder: str, values: dict[str, object]) -> None:
        mine = (outbox_table.c.id == message.id) & (outbox_table.c.holder == holder) & (outbox_table.c.state == PENDING)
        with self._database.writing() as connection:
            connection.execute(sa.update(outbox_table).where(mine).values(values))


def _row(notice: Notice) -> dict[str, object]:
    return {
        "id": notice.id,
        "sequence": notice.sequence,
        "state": PENDING,
        "attempts": 0,
        "next_attempt": micros(notice.at),
        "leased_until": 0,
        "holder": "",
        "changed": micros(notice.at),
        "last_error": "",
        "body": msgspec.json.encode(notice),
    }


def _message(row: sa.Row[tuple[object, ...]]) -> Message:
    notice = msgspec.json.decode(row.body, type=Notice)
    return Message(row.id, row.output, notice, row.attempts, from_micros(row.changed), row.last_error)
