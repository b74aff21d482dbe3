from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from service.database import Database
from service.leases import Lease, LeaseError, alone


def test_one_at_a_time_holds_a_lease(database: Database) -> None:
    """Whoever comes second gets it only after it was not renewed for its seconds, by the second's own clock."""
    first, second = Lease(database, "work"), Lease(database, "work")

    assert first.take(1000.0)
    assert not second.take(0.0)
    assert not second.take(9.9)
    assert first.take(5.0)  # a clock that jumped back is nobody's business
    assert not second.take(10.1)
    assert second.take(20.2)
    assert not first.take(1e9)


def test_whoever_lost_a_lease_writes_nothing(database: Database) -> None:
    """A holder that slept is told within its transaction, which is undone."""
    first, second = Lease(database, "work"), Lease(database, "work")
    first.take(0)
    second.take(0)
    second.take(11)

    with pytest.raises(LeaseError, match="taken over"), database.writing() as connection:
        first.confirm(connection)
    with database.writing() as connection:
        second.confirm(connection)


def test_leases_of_other_names_are_apart(database: Database) -> None:
    """One is held while another is free."""
    assert Lease(database, "one").take(0)
    assert Lease(database, "other").take(0)


def test_many_that_come_together_take_it_once(database: Database) -> None:
    """Of eight that find it free at the same moment one gets it, and so again when it has run out."""
    leases = [Lease(database, "work") for _ in range(8)]

    for moment in (0.0, 11.0):
        with ThreadPoolExecutor(len(leases)) as threads:
            taken = list(threads.map(Lease.take, leases, [moment] * len(leases)))
        assert taken.count(True) == 1
        leases = [one for one, won in zip(leases, taken, strict=True) if not won]
        assert not any(one.take(moment) for one in leases)  # and each has seen who holds it now


def test_what_is_given_up_is_free_at_once(database: Database) -> None:
    """Nobody waits for what was given back, and who never held it gives nothing back."""
    with alone(database, "work", patience=0):
        with pytest.raises(LeaseError, match="wait until it is done"), alone(database, "work", patience=0.1):
            pass
        Lease(database, "work").give_up()
        assert not Lease(database, "work").take(datetime.now(UTC).timestamp())

    assert Lease(database, "work").take(0)
