"""Leases in the database: one holder at a time among all processes and machines, and another soon after it died."""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog

from service.database import Database
from service.tables import lease_table

SECONDS = 10.0
_log = structlog.get_logger("wharfinger.lease")


class LeaseError(Exception):
    """The lease is another's; the message is one line."""


class Lease:
    """The right to do something alone, for as long as it is renewed.

    No two clocks are compared, since they differ and jump: whoever wants the lease watches it, and takes it when it
    was not renewed for some time by the watcher's own clock. A holder that slept through that finds out by `confirm`,
    within the transaction in which it writes.

    Parameters
    ----------
    database
        Up to date.
    name
        What the lease is for.
    seconds
        Without a renewal for this long, others may take it.
    """

    def __init__(self, database: Database, name: str, *, seconds: float = SECONDS) -> None:
        self.name = name
        self.seconds = seconds
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._database = database
        self._row = lease_table.c.name == name
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0

    def take(self, now: float) -> bool:
        """Take the lease if it is free, or renew it; tell whether it is held.

        Parameters
        ----------
        now
            Time in seconds by a clock that never goes back.
        """
        with self._database.reading() as connection:
            row = connection.execute(sa.select(lease_table.c.holder, lease_table.c.renewals).where(self._row)).first()
        if row is None:
            new = self._database.insert_new(lease_table).values(name=self.name, holder=self.holder, renewals=0)
            return self._changed(new)
        if row.holder == self.holder:
            return self._changed(self._renewal())
        seen = (row.holder, row.renewals)
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        if now - self._seen_at < self.seconds:
            return False
        unchanged = (lease_table.c.holder == row.holder) & (lease_table.c.renewals == row.renewals)
        return self._changed(sa.update(lease_table).where(self._row, unchanged).values(holder=self.holder, renewals=0))

    def confirm(self, connection: sa.Connection) -> None:
        """Renew the lease within a transaction, so that nobody else holds it before that one ends.

        Raises
        ------
        LeaseError
            If another has taken it.
        """
        if connection.execute(self._renewal()).rowcount != 1:
            raise LeaseError(f"another process has taken over {self.name}")

    def give_up(self) -> None:
        """Let others take the lease at once; nothing happens if it is not held."""
        self._changed(sa.delete(lease_table).where(self._row, lease_table.c.holder == self.holder))

    def _renewal(self) -> sa.Update:
        mine = self._row & (lease_table.c.holder == self.holder)
        return sa.update(lease_table).where(mine).values(renewals=lease_table.c.renewals + 1)

    def _changed(self, statement: sa.Insert | sa.Update | sa.Delete) -> bool:
        with self._database.writing() as connection:
            return connection.execute(statement).rowcount == 1


def held(database: Database, name: str) -> tuple[str, int] | None:
    """Tell who holds a lease, and how often it was renewed; None if nobody does. A holder may have died meanwhile."""
    columns = (lease_table.c.holder, lease_table.c.renewals)
    with database.reading() as connection:
        row = connection.execute(sa.select(*columns).where(lease_table.c.name == name)).one_or_none()
    return None if row is None else (row.holder, row.renewals)


@contextmanager
def kept(lease: Lease) -> Iterator[threading.Event]:
    """Renew a lease that is held, from a thread of its own, and give it up at the end.

    Yields
    ------
    Set once another has taken the lease.
    """
    lost, over = threading.Event(), threading.Event()

    def renew() -> None:
        while not lost.is_set() and not over.wait(lease.seconds / 4):
            try:
                if not lease.take(time.monotonic()):
                    lost.set()
            except sa.exc.SQLAlchemyError as error:  # whoever cannot reach the database either cannot take it
                _log.warning("lease not renewed", lease=lease.name, reason=str(getattr(error, "orig", error)))

    renewing = threading.Thread(target=renew, name=f"lease {lease.name}", daemon=True)
    renewing.start()
    try:
        yield lost
    finally:
        over.set()
        renewing.join()
        lease.give_up()


@contextmanager
def alone(database: Database, name: str, *, patience: float) -> Iterator[Lease]:
    """Hold a lease, after waiting for it.

    Parameters
    ----------
    patience
        Seconds to wait for whoever holds it.

    Raises
    ------
    LeaseError
        If it is still held then.
    """
    lease, began = Lease(database, name), time.monotonic()
    while not lease.take(time.monotonic()):
        if time.monotonic() - began >= patience:
            raise LeaseError(f"another process is busy with {name} (wait until it is done)")
        time.sleep(min(0.2, patience))
    with kept(lease):
        yield lease
