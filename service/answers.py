"""Answers given under an `Idempotency-Key`, so that a request sent again gets the same one."""

from datetime import datetime

import sqlalchemy as sa

from service.database import Database
from service.tables import answer_table, micros


class ReusedKeyError(Exception):
    """The key was given with another request."""


class Answers:
    """Answers by key.

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str, digest: bytes) -> bytes | None:
        """Give the answer to a request, or None if it has none yet.

        Raises
        ------
        ReusedKeyError
            If the key was given with a request of another digest.
        """
        statement = sa.select(answer_table.c.digest, answer_table.c.body).where(answer_table.c.key == key)
        with self._database.reading() as connection:
            row = connection.execute(statement).first()
        if row is None:
            return None
        if row.digest != digest:
            raise ReusedKeyError(f"the key {key} was given with another request; choose another for this one")
        body: bytes = row.body
        return body

    def keep(self, key: str, digest: bytes, body: bytes, now: datetime) -> bytes:
        """Keep an answer, and give the one to send: the first, if the request was sent twice at the same time.

        Raises
        ------
        ReusedKeyError
            If the key was meanwhile given with a request of another digest.
        """
        new = self._database.insert_new(answer_table)
        with self._database.writing() as connection:
            connection.execute(new, {"key": key, "digest": digest, "body": body, "given": micros(now)})
        return self.get(key, digest) or body

    def forget(self, before: datetime) -> None:
        """Forget the answers given before a time."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(answer_table).where(answer_table.c.given < micros(before)))
