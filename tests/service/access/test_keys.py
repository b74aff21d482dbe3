"""Keys: made once, kept as a hash, and useless after their time."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.access.callers import SCOPES, RefusedError
from service.access.keyring import Keyring
from service.access.keys import PATTERN, KeyStore
from service.database import Database
from service.tables import key_table

NOW = datetime(2026, 9, 14, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database)


def test_a_key_is_stored_as_a_hash(store: KeyStore, database: Database) -> None:
    """What is in the database gives nobody a key: the prefix, and SHA-256 of 256 random bits."""
    key, shown = store.create("ci", ["score", "read"], now=NOW)

    with database.reading() as connection:
        (row,) = connection.execute(sa.select(key_table)).mappings()
    assert PATTERN.fullmatch(shown)
    assert row["digest"] == sha256(shown.encode()).digest()
    assert shown.split("_", 2)[2] not in str(dict(row))
    assert str(row["digest"]) not in repr(key)
    assert store.all() == [key]


def test_keys_differ(store: KeyStore) -> None:
    """No two keys are alike."""
    assert len({store.create("n", ["read"], now=NOW)[1] for _ in range(20)}) == 20


def test_a_shown_key_is_found(store: KeyStore) -> None:
    """A key is found with the scopes that it was made with, and no others."""
    key, shown = store.create("ci", ["score"], now=NOW)
    store.create("other", SCOPES, now=NOW)

    assert Keyring(store, 0).find(shown, now=NOW) == key


@given(text=st.text() | st.from_regex(PATTERN, fullmatch=True))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_no_key_is_refused(store: KeyStore, text: str) -> None:
    """Whatever text is shown, only a key that was made opens."""
    with pytest.raises(RefusedError):
        Keyring(store, 0).find(text, now=NOW)


def test_every_character_counts(store: KeyStore) -> None:
    """A key with any one character changed is refused."""
    _, shown = store.create("ci", ["read"], now=NOW)
    ring = Keyring(store, 3600)
    for place in range(len(shown)):
        other = shown[:place] + ("a" if shown[place] != "a" else "b") + shown[place + 1 :]
        with pytest.raises(RefusedError):
            ring.find(other, now=NOW)


def test_an_expired_key_is_refused(store: KeyStore) -> None:
    """A key opens until it expires, and not at that moment."""
    _, shown = store.create("ci", ["read"], now=NOW, expires=NOW + timedelta(days=1))
    ring = Keyring(store, 0)

    ring.find(shown, now=NOW + timedelta(hours=23))
    with pytest.raises(RefusedError, match="expired"):
        ring.find(shown, now=NOW + timedelta(days=1))


def test_a_revoked_key_is_refused_by_every_ring(store: KeyStore) -> None:
    """Every process's copy of the keys learns of a revocation at its next look; a second one changes nothing."""
    key, shown = store.create("ci", ["read"], now=NOW)
    rings = [Keyring(store, 0), Keyring(store, 0)]
    for ring in rings:
        ring.find(shown, now=NOW)

    assert store.revoke(key.prefix, now=NOW)
    assert not store.revoke(key.prefix, now=NOW)
    for ring in rings:
        with pytest.raises(RefusedError, match="revoked"):
            ring.find(shown, now=NOW)
        assert ring.exist()


def test_last_use_is_kept_to_the_minute(store: KeyStore) -> None:
    """Requests within a minute of the last noted one write nothing, whichever process they reach."""
    key, shown = store.create("ci", ["read"], now=NOW)
    for seconds in (0, 1, 59, 61):
        for ring in (Keyring(store, 0), Keyring(store, 0)):
            ring.find(shown, now=NOW + timedelta(seconds=seconds))

    assert [one.last_used for one in store.all()] == [NOW + timedelta(seconds=61)]
    assert store.all()[0].prefix == key.prefix
