"""What intake brought is scored as windows close, and again when late events reopen them."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec
import polars as pl
import pytest

from features.ingest import events_from_records
from features.lake import Lake
from features.windows import floor_window
from models.scores import Score
from service.access.audit import AuditRecord
from service.jobs.errors import JobError
from service.jobs.fold import closed_windows, fold
from service.jobs.follow import follow, tidy
from service.jobs.ingest import ingest
from service.jobs.score import score
from service.leases import Lease, LeaseError
from service.settings import Settings
from service.wiring import Home, open_home
from tests.counted_files import CountedFiles
from tests.service.conftest import SPLIT, STRANGER, telemetry

AFTER = SPLIT + timedelta(hours=3)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Fleet(Protocol):
    """What the fixture `fleet` gives."""

    settings: Settings
    home: Home
    version: str


def of(since: datetime, until: datetime) -> list[dict[str, Any]]:
    return [one for one in telemetry() if since.timestamp() <= float(one.get("ts", 0)) < until.timestamp()]  # type: ignore[arg-type]


def send(home: Home, records: list[dict[str, Any]], now: datetime) -> None:
    home.spool.add(events_from_records(records, ref="test").events, now)
    fold(home, now=now)


@pytest.fixture
def home(fleet: Fleet, tmp_path: Path) -> Home:
    """A home with the fleet's model and its snapshots, and no telemetry after the split."""
    shutil.copytree(fleet.settings.home / "models", tmp_path / "home/models")
    shutil.copytree(fleet.settings.home / "keys", tmp_path / "home/keys")
    (tmp_path / "learn.ndjson").write_text(
        "\n".join(json.dumps(r) for r in telemetry() if float(r.get("ts", 0)) < SPLIT.timestamp())
    )  # type: ignore[arg-type]
    home = open_home(Settings.load(tmp_path / "home", {}))
    ingest(home, [tmp_path / "learn.ndjson"])
    return home


def stored(home: Home) -> list[Score]:
    found, _ = home.store.query(limit=1000)
    return sorted(found, key=lambda one: (one.window_start, one.workload))


def plain(scores: list[Score]) -> list[Score]:
    return [msgspec.structs.replace(one, revision=0) for one in scores]


def test_windows_are_scored_as_they_close(home: Home) -> None:
    """Step by step the same scores come out as at once, each window when the watermark has passed it."""
    step = 25 * MINUTE
    for start in (SPLIT + n * step for n in range(7)):
        now = start + step
        send(home, of(start, now), now)
        follow(home, now=now)
        assert max(one.window_end for one in stored(home)) <= (now - 2 * MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")

    follow(home, now=SPLIT + 7 * step + HOUR)

    assert all(one.revision == 0 for one in stored(home))
    assert any(STRANGER in reason.value for one in stored(home) for reason in one.reasons)
    assert stored(home) == score(home, since=SPLIT, closed=AFTER)


def test_nothing_is_scored_twice(home: Home) -> None:
    """When nothing came, nothing is scored; what a crash left in the spool adds nothing and changes no score."""
    records = of(SPLIT, SPLIT + HOUR)
    send(home, records, SPLIT + HOUR)
    assert follow(home, now=SPLIT + HOUR)
    before = stored(home)

    assert follow(home, now=SPLIT + HOUR) == []
    send(home, records, SPLIT + HOUR)
    assert follow(home, now=SPLIT + HOUR)
    assert stored(home) == before


def test_what_a_turn_opens_does_not_grow_with_the_lake(home: Home) -> None:
    """After the first turn, files of the day before yesterday and older are opened neither to score nor to count."""
    store = CountedFiles(home.settings.home / "lake")
    home = replace(home, lake=Lake(store))
    opened = []
    for now in (SPLIT + HOUR, SPLIT + 2 * HOUR):
        send(home, of(now - HOUR, now), now)
        assert follow(home, now=now)
        tidy(home, now=now)
        opened.append(min(store.days()))

    assert opened[0] <= (SPLIT - timedelta(days=3)).date()
    assert opened[1] >= (SPLIT - timedelta(days=1)).date()


def test_late_events_have_their_window_scored_again(home: Home) -> None:
    """Events that come within the hour change the score, which says so; those that come later do not."""
    late = [one for one in of(SPLIT, AFTER) if one["id.resp_h"] == STRANGER]
    at = datetime.fromtimestamp(late[0]["ts"], UTC)
    window = floor_window(at)
    now = window + 30 * MINUTE
    send(home, [one for one in of(SPLIT, now) if one not in late], now)
    follow(home, now=now)
    calm = home.store.get("docker:shop/api", window)

    within = [one for one in late if floor_window(datetime.fromtimestamp(one["ts"], UTC)) == window]
    send(home, within[1:], now + 50 * MINUTE)
    follow(home, now=now + 50 * MINUTE)
    strange = home.store.get("docker:shop/api", window)
    send(home, within[:1], now + 70 * MINUTE)
    follow(home, now=now + 70 * MINUTE)

    assert calm is not None
    assert strange is not None
    assert (calm.revision, strange.revision) == (0, 1)
    assert strange.bits > calm.bits
    assert home.store.get("docker:shop/api", window) == strange
    assert home.touched.backlog(now + 70 * MINUTE).late == 1


def test_a_broken_clock_closes_nothing(home: Home) -> None:
    """An event of the year 2099 is kept, closes no window, and is not waited for."""
    now = SPLIT + 15 * MINUTE
    (record,) = of(SPLIT, now)[:1]
    send(home, of(SPLIT, now), now)
    send(home, [record | {"ts": datetime(2099, 1, 1, tzinfo=UTC).timestamp()}], now)

    follow(home, now=now)

    assert {one.window_start for one in stored(home)} == {SPLIT.strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert home.touched.backlog(now).waiting == 1
    assert closed_windows(home, now=now) == SPLIT + 10 * MINUTE


def test_a_clock_that_jumps_loses_nothing(home: Home) -> None:
    """The server's clock runs an hour ahead and is set back: what was closed early is scored again with what comes."""
    now = SPLIT + 15 * MINUTE
    send(home, of(SPLIT, now), now)
    follow(home, now=now + HOUR)
    for end in (30 * MINUTE, 45 * MINUTE):
        send(home, of(SPLIT + end - 15 * MINUTE, SPLIT + end), SPLIT + end)
        follow(home, now=SPLIT + end)
    follow(home, now=SPLIT + 65 * MINUTE)

    assert plain(stored(home)) == plain(score(home, since=SPLIT, closed=SPLIT + 50 * MINUTE))


def test_without_a_model_windows_wait(home: Home, tmp_path: Path) -> None:
    """Until there is a model events are taken in, and are scored when there is one."""
    shutil.move(home.settings.home / "models", tmp_path / "models")
    bare = open_home(home.settings)
    send(bare, of(SPLIT, SPLIT + HOUR), SPLIT + HOUR)
    with pytest.raises(JobError, match="refresh"):
        follow(bare, now=SPLIT + HOUR)

    shutil.rmtree(home.settings.home / "models")
    shutil.move(tmp_path / "models", home.settings.home / "models")

    assert follow(open_home(home.settings), now=SPLIT + HOUR)


def test_whoever_lost_the_lease_stores_nothing(home: Home) -> None:
    """A run that another took over from writes no score."""
    send(home, of(SPLIT, SPLIT + HOUR), SPLIT + HOUR)
    follow(home, now=SPLIT + HOUR)
    before, lease = stored(home), Lease(home.database, "scoring")

    with pytest.raises(LeaseError):
        home.store.replace([msgspec.structs.replace(before[0], bits=99.0)], confirm=lease.confirm)

    assert stored(home) == before


def test_old_answers_and_windows_are_forgotten(home: Home) -> None:
    """Keys hold for a day; windows older than the history are not scored any more."""
    now = SPLIT + HOUR
    home.answers.keep("a", b"digest", b"{}", now - timedelta(hours=25))
    home.answers.keep("b", b"digest", b"{}", now)
    send(home, of(SPLIT, now), now)
    home.heard.note(pl.DataFrame({"source": ["zeek"], "host": ["gone"], "latest": [now - timedelta(days=31)]}))

    tidy(home, now=now)

    assert min(home.heard.latest()) > now - HOUR

    assert home.answers.get("a", b"other") is None
    assert home.answers.get("b", b"digest") == b"{}"
    assert home.touched.backlog(now).waiting == 6


@pytest.mark.parametrize(("days", "kept"), [("365", [364]), ("0", [364, 366, 4000])])
def test_rows_of_the_audit_log_expire(tmp_path: Path, days: str, kept: list[int]) -> None:
    """Rows go when they are older than `audit_days` by the clock; 0 keeps them for ever."""
    home = open_home(Settings.load(tmp_path, {"WHARFINGER_AUDIT_DAYS": days}))
    now = datetime.now(UTC)
    row = AuditRecord(at=now, who="key:1", origin="::1", operation="add_change", target="/v1/changes", outcome=200)
    for age in (4000, 366, 364):
        home.audit.add(msgspec.structs.replace(row, at=now - timedelta(days=age)))

    tidy(home, now=now)

    assert [(now - one.at).days for one in home.audit.records(limit=10)] == kept
    assert len(home.audit.records(limit=10, since=now - timedelta(days=365))) == 1
