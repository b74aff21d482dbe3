"""The command that looks after the store of events."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.events import frame
from service.cli import main
from service.settings import Settings
from service.wiring import Home, open_home
from tests.object_store import BUCKET

DAY = datetime(2026, 9, 14, tzinfo=UTC)


def pulls(day: int, *hours: int) -> pl.DataFrame:
    moments = [DAY + timedelta(days=day, hours=hour) for hour in hours]
    return frame({"ts": t, "event_id": int(t.timestamp()), "source": "docker_events", "kind": "pull"} for t in moments)


@pytest.fixture(params=["directory", pytest.param("bucket", marks=pytest.mark.slow)])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose first day lies in three files, in an order of its own, and whose second is not over."""
    if request.param == "bucket":
        request.getfixturevalue("object_store")
        monkeypatch.setenv("WHARFINGER_LAKE", f"s3://{BUCKET}/{tmp_path.parent.name}/{tmp_path.name}")
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHARFINGER_KEEP_SYSTEM_DAYS", "30")
    home = open_home(Settings.load(None, os.environ))
    for events in (pulls(0, 1, 5), pulls(0, 2, 6), pulls(0, 3), pulls(1, 1), pulls(1, 2)):
        home.lake.append(events)
    return home


def run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["lake", *words])
    out, err = capfd.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.usefixtures("home")
def test_status_tells_what_lies_in_the_lake(capfd: pytest.CaptureFixture[str]) -> None:
    """Each day and class has a row for people and an object for tools, with the day until which it is kept."""
    code, table, _ = run(capfd, "status")
    _, lines, _ = run(capfd, "status", "--format", "ndjson")

    first, second = (json.loads(line) for line in lines.splitlines())
    assert code == 0
    assert table.splitlines()[1].split() == [
        "2026-09-14", "system", "3", "5", "0.0", "01:00:00", "06:00:00", "current", "2026-10-15",
    ]  # fmt: skip
    assert first.pop("bytes") > 0
    assert first == {
        "day": "2026-09-14",
        "class": "system",
        "files": 3,
        "outdated_files": 0,
        "events": 5,
        "first": "2026-09-14T01:00:00Z",
        "last": "2026-09-14T06:00:00Z",
        "expires": "2026-10-15",
    }
    assert (second["day"], second["files"]) == ("2026-09-15", 2)


def test_compact_rewrites_the_days_that_are_over(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    """The day that is over becomes one file, the latest stays; the second time there is nothing to do."""
    before = home.lake.read()

    code, table, _ = run(capfd, "compact")
    _, again, _ = run(capfd, "compact")

    assert code == 0
    assert table.splitlines()[1].split()[:4] == ["2026-09-14", "system", "3", "1"]
    assert "nothing to do" in again
    assert [held.files for held in home.lake.holdings()] == [1, 2]
    assert home.lake.read().equals(before)


def test_expire_removes_what_the_settings_keep_no_longer(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    """Days go by the settings, counted from the latest event; without a span for any class nothing can."""
    assert run(capfd, "expire")[1] == "0 files removed\n"
    home.lake.append(pulls(31, 0))

    assert run(capfd, "expire")[1] == "3 files removed\n"
    assert [held.day.day for held in home.lake.holdings()] == [15, 15]


def test_lake_without_events_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is wrong with an empty lake: every command ends well and says so."""
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path))

    assert "wharfinger ingest" in run(capfd, "status")[1]
    assert run(capfd, "status", "--format", "ndjson") == (0, "", "")
    assert "nothing to do" in run(capfd, "compact")[1]
    assert "kept for ever" in run(capfd, "expire")[1]


@pytest.mark.slow
@pytest.mark.usefixtures("home", "object_store")
def test_a_bucket_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The reason and what to check, without a trace and without the secret."""
    monkeypatch.setenv("WHARFINGER_LAKE", "s3://nowhere/at-all")

    code, out, err = run(capfd, "status")

    assert (code, out) == (1, "")
    (line,) = err.splitlines()
    assert line.startswith("wharfinger: cannot use the lake s3://nowhere/at-all: NoSuchBucket")
