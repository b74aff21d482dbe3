"""Disks that are full, each a real file system of two megabytes: nothing that was accepted is lost, nothing is torn."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.app import create_app
from service.jobs.fold import fold
from service.settings import Settings
from service.wiring import open_home
from tests.service.conftest import telemetry

RECORDS = telemetry()[4:204]
BLOCK = bytes(4096)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system in memory, which takes the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to its last block, and give the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(BLOCK):
            pass
    return filler


def in_home(tmp_path: Path, disk: Path, part: str) -> Settings:
    """Make a home of which one part lies on the disk."""
    home = tmp_path / "home"
    home.mkdir()
    if part == "database":
        return Settings.load(home, {"WHARFINGER_DATABASE_URL": f"sqlite:///{disk}/w.db"})
    (home / part).symlink_to(disk, target_is_directory=True)
    return Settings.load(home, {})


@pytest.mark.parametrize("part", ["spool", "lake", "database"])
def test_a_full_disk_loses_and_tears_nothing(tmp_path: Path, disk: Path, part: str) -> None:
    """Intake refuses what it cannot keep; what was accepted waits, and is in the lake once there is room."""
    settings = in_home(tmp_path, disk, part)
    home, client = open_home(settings), create_app(settings).test_client()
    home.database.vacuum()  # no room is left in its log either
    filler = fill(disk)

    first = client.post("/v1/events", json=RECORDS)
    for _ in range(2):
        with suppress(OSError, sa.exc.OperationalError):
            fold(home, now=datetime.now(UTC))
    waiting = home.spool.backlog().files
    ready: Any = client.get("/readyz")
    filler.unlink()
    second = client.post("/v1/events", json=RECORDS)
    fold(home, now=datetime.now(UTC))

    if part == "spool":
        assert (first.status_code, first.headers["Retry-After"], waiting) == (503, "5", 0)
        assert ready.status_code == 503
        assert second.json["accepted"] == len(RECORDS)
    else:
        assert (first.json["accepted"], waiting) == (len(RECORDS), 1)
        assert second.json["duplicate"] == len(RECORDS)
    assert home.spool.backlog().files == 0
    assert home.lake.read()["uid"].sort().to_list() == sorted(str(one["uid"]) for one in RECORDS)
    assert home.touched.backlog(datetime.now(UTC)).waiting > 0
    assert home.database.damage() is None
    home.database.close()


def test_what_cannot_be_stored_asks_to_come_again(tmp_path: Path, disk: Path) -> None:
    """A change that the database has no room for is answered 503, and is not there by half."""
    settings = in_home(tmp_path, disk, "database")
    home, client = open_home(settings), create_app(settings).test_client()
    change = {"workload": "docker:shop/*", "from": "2026-09-13T00:00:00Z", "until": "2026-09-14T00:00:00Z", "by": "ci"}
    change |= {"destinations": ["203.0.113.66:4444"]}
    home.database.vacuum()
    filler = fill(disk)

    refused = client.post("/v1/changes", json=change)
    filler.unlink()

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert client.get("/v1/changes").json["changes"] == []
    assert client.post("/v1/changes", json=change).status_code == 200
    assert len(client.get("/v1/changes").json["changes"]) == 1
    assert home.database.damage() is None
    home.database.close()
