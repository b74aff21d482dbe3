"""API keys: made here, shown once, and kept as a hash."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from service.access.callers import SCOPES, Caller, Scope
from service.database import Database
from service.tables import from_micros, key_table, micros

# `wf_<prefix>_<secret>`: the prefix names the key in lists and logs, the secret has 256 bits.
PATTERN = re.compile(r"wf_([0-9a-f]{12})_[\w-]{43}", re.ASCII)
LAST_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key as it is kept; the key itself is known to whoever holds it alone."""

    prefix: str
    name: str
    digest: bytes = field(repr=False)
    scopes: frozenset[Scope]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        """Tell whether it opens anything."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"

    def matches(self, shown: str) -> bool:
        """Compare with what a caller showed, in a time that does not depend on where they differ."""
        return hmac.compare_digest(self.digest, digest(shown))

    @property
    def caller(self) -> Caller:
        """Whoever shows it."""
        return Caller(f"key:{self.prefix}", self.scopes)


def digest(key: str) -> bytes:
    """Hash a key. SHA-256 suffices: nobody tries 256 random bits, slow hashes are for what people choose."""
    return hashlib.sha256(key.encode()).digest()


class KeyStore:
    """Keys in the database.

    Parameters
    ----------
    database
        Up to date.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, scopes: Collection[Scope], *, now: datetime, expires: datetime | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key; what is given second is the key itself, which cannot be had again."""
        prefix = secrets.token_hex(6)
        shown = f"wf_{prefix}_{secrets.token_urlsafe(32)}"
        key = ApiKey(
            prefix=prefix, name=name, digest=digest(shown), scopes=frozenset(scopes), created=now, expires=expires
        )
        row = {
            "prefix": prefix,
            "name": name,
            "digest": key.digest,
            "scopes": " ".join(scope for scope in SCOPES if scope in key.scopes),
            "created": micros(now),
            "expires": None if expires is None else micros(expires),
        }
        with self._database.writing() as connection:
            connection.execute(sa.insert(key_table), row)
        return key, shown

    def revoke(self, prefix: str, *, now: datetime) -> bool:
        """Let a key open nothing any more; False if there is none of this prefix that was not revoked before."""
        own = (key_table.c.prefix == prefix) & key_table.c.revoked.is_(None)
        with self._database.writing() as connection:
            return connection.execute(sa.update(key_table).where(own).values(revoked=micros(now))).rowcount == 1

    def all(self) -> list[ApiKey]:
        """List the keys, revoked and expired ones included, the oldest first."""
        ordered = sa.select(key_table).order_by(key_table.c.created, key_table.c.prefix)
        with self._database.reading() as connection:
            return [_key(row) for row in connection.execute(ordered).mappings()]

    def note_use(self, prefix: str, *, now: datetime) -> None:
        """Keep when a key was last used, to the minute."""
        before = key_table.c.last_used
        stale = before.is_(None) | (before <= micros(now - LAST_USED_EVERY))
        with self._database.writing() as connection:
            own = (key_table.c.prefix == prefix) & stale
            connection.execute(sa.update(key_table).where(own).values(last_used=micros(now)))


def _key(row: Any) -> ApiKey:  # noqa: ANN401 -- a mapping of columns
    moments = {name: row[name] for name in ("created", "expires", "revoked", "last_used")}
    return ApiKey(
        prefix=row["prefix"],
        name=row["name"],
        digest=row["digest"],
        scopes=msgspec.convert(row["scopes"].split(), frozenset[Scope]),
        **{name: None if value is None else from_micros(value) for name, value in moments.items()},  # type: ignore[arg-type]  # `created` is never null
    )
