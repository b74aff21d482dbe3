"""The keys as of a moment ago, so that a request need not ask the database."""

import threading
import time
from datetime import datetime

import sqlalchemy as sa
import structlog

from service.access.callers import RefusedError
from service.access.keys import LAST_USED_EVERY, PATTERN, ApiKey, KeyStore

_log = structlog.get_logger("wharfinger.access")


class Keyring:
    """Checks keys against a copy of those in the database.

    Parameters
    ----------
    store
        The keys.
    interval
        Seconds between two looks: a revoked key opens nothing after that.
    """

    def __init__(self, store: KeyStore, interval: float) -> None:
        self._store = store
        self._interval = interval
        self._looked: float | None = None
        self._lock = threading.Lock()
        self._keys: dict[str, ApiKey] = {}
        self._noted: dict[str, datetime] = {}

    def exist(self) -> bool:
        """Tell whether a key was ever made: with the last one revoked the service stays closed."""
        return bool(self._current())

    def find(self, shown: str, *, now: datetime) -> ApiKey:
        """Find the key that a caller shows.

        Raises
        ------
        RefusedError
            If there is no such key, or it opens nothing any more.
        """
        found = PATTERN.fullmatch(shown)
        key = self._current().get(found[1]) if found else None
        if key is None or not key.matches(shown):
            raise RefusedError("There is no such key")
        return self._use(key, now)

    def named(self, prefix: str, *, now: datetime) -> ApiKey:
        """Find the key with a prefix; for sessions, whose holder showed the whole key when they began.

        Raises
        ------
        RefusedError
            If it opens nothing any more.
        """
        key = self._current().get(prefix)
        if key is None:
            raise RefusedError("There is no such key")
        return self._use(key, now)

    def _current(self) -> dict[str, ApiKey]:
        now = time.monotonic()
        due = self._looked is None or now - self._looked >= self._interval
        if due and self._lock.acquire(blocking=self._looked is None):
            try:
                self._keys = {key.prefix: key for key in self._store.all()}
                self._looked = now
            finally:
                self._lock.release()
        return self._keys

    def _use(self, key: ApiKey, now: datetime) -> ApiKey:
        if (state := key.state(now)) != "active":
            raise RefusedError(f"The key {key.prefix} is {state}")
        noted = self._noted.get(key.prefix)
        if noted is None or now - noted >= LAST_USED_EVERY:
            self._noted[key.prefix] = now
            try:
                self._store.note_use(key.prefix, now=now)
            except sa.exc.SQLAlchemyError as error:  # nobody is kept out because this could not be kept
                _log.warning("use of a key not noted", key=key.prefix, reason=str(getattr(error, "orig", error)))
        return key
