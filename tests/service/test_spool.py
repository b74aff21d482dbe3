import os
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.events import conform
from service.spool import Backlog, Spool, SpoolFullError
from tests.service.conftest import no_room

NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)


def events(*ids: int) -> pl.DataFrame:
    return conform(
        pl.DataFrame(
            {
                "ts": [NOW] * len(ids),
                "event_id": ids,
                "source": ["zeek"] * len(ids),
                "answers": [["192.0.2.1"]] * len(ids),
            }
        )
    )


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 2**20)


def test_what_was_added_comes_out(spool: Spool) -> None:
    """Events come out as they went in, the oldest request first, and stay until they are removed."""
    spool.add(events(3), NOW + timedelta(seconds=1))
    spool.add(events(1, 2), NOW)

    ((found, paths),) = spool.batches(2**20)

    assert conform(found).equals(events(1, 2, 3))
    assert spool.backlog() == Backlog(files=2, size=8192, oldest=NOW)
    spool.remove(paths)
    assert list(spool.batches(2**20)) == []
    assert spool.backlog() == Backlog(files=0, size=0, oldest=None)


def test_any_process_knows_what_lies_there(spool: Spool, tmp_path: Path) -> None:
    """What another added is known, until it is taken out."""
    other = Spool(tmp_path / "spool", 2**20)
    spool.add(events(1, 2), NOW)

    assert other.known(events(2, 3)).to_list() == [True, False]
    ((_, paths),) = other.batches(1)
    other.remove(paths)
    assert spool.known(events(2, 3)).to_list() == [False, False]


def test_it_is_bounded(tmp_path: Path) -> None:
    """A full spool takes nothing more, and says so."""
    spool = Spool(tmp_path / "spool", 4096)
    spool.add(events(1), NOW)

    with pytest.raises(SpoolFullError, match="later"):
        spool.add(events(2), NOW)
    assert str(spool.fault()).startswith("full")


def test_a_full_disk_leaves_nothing_half_written(spool: Spool) -> None:
    """What cannot be written is not there at all."""
    with no_room():
        with pytest.raises(OSError, match="too large"):
            spool.add(events(1), NOW)
        fault = spool.fault()

    assert str(fault).startswith("cannot be written")
    assert list(spool.lock.parent.iterdir()) == []


def test_what_killed_requests_left_is_swept(spool: Spool) -> None:
    """A half-written file is never read, and goes when it is old."""
    left = spool.lock.parent / ".0000000000000001-ab.arrow"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    fresh = left.with_name(".0000000000000002-cd.arrow")
    fresh.write_bytes(b"half")

    spool.sweep(NOW)

    assert list(spool.batches(1)) == []
    assert not left.exists()
    assert fresh.exists()


def test_a_clock_that_jumps_ahead_takes_nothing_that_was_added(spool: Spool) -> None:
    """A sweep by a clock a day ahead may spoil requests that are being written: they fail, and no other is lost."""
    over, added = threading.Event(), 0

    def sweep() -> None:
        while not over.is_set():
            spool.sweep(datetime.now(UTC) + timedelta(days=1))

    sweeping = threading.Thread(target=sweep)
    sweeping.start()
    for number in range(100):
        with suppress(FileNotFoundError):
            spool.add(events(number), NOW + timedelta(seconds=number))
            added += 1
    over.set()
    sweeping.join()

    assert spool.backlog().files == added
    assert sum(len(found) for found, _ in spool.batches(2**20)) == added


def test_a_damaged_file_is_put_out_of_the_way(spool: Spool) -> None:
    """What the disk has damaged is kept aside and holds up no other request."""
    folder = spool.lock.parent
    (folder / "0000000000000001-ab.arrow").write_bytes(b"junk")
    spool.add(events(1), NOW)

    ((found, paths),) = spool.batches(2**20)
    spool.remove(paths)

    assert conform(found).equals(events(1))
    assert spool.known(events(1)).to_list() == [False]
    assert [path.name for path in folder.iterdir()] == ["0000000000000001-ab.damaged"]
