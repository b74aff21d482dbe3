"""`wharfinger doctor` on real homes: a sound one, and ones with one thing broken."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from service.cli import main
from service.jobs.doctor import CHECKS, examine
from service.jobs.doctor_findings import Finding, Site
from service.jobs.doctor_place import room
from service.jobs.follow import LEASE
from service.leases import SECONDS, Lease
from service.settings import FILE, Settings
from service.wiring import Home, open_home
from tests.homes import copy_home
from tests.service.conftest import END

NOW = END + timedelta(minutes=5)


@pytest.fixture
def home(fleet: Any, tmp_path: Path) -> Home:
    """A copy of the fleet's home, whose model is as old as its telemetry."""
    copy_home(fleet.settings.home, tmp_path / "home")
    return open_home(Settings.load(tmp_path / "home", {}))


def look(home: Home, now: datetime | None = None, **environ: str) -> dict[str, list[Finding]]:
    """Examine a home as of its last event, by the name of the check."""
    given = {f"WHARFINGER_{name.upper()}": value for name, value in environ.items()}
    site = Site(Settings.load(home.settings.home, given), given, now or datetime.now(UTC), lambda _: None)
    found: dict[str, list[Finding]] = {check.name: [] for check in CHECKS}
    for one in examine(site):
        found[one.check].append(one)
    if "home" in site.__dict__:
        site.home.database.close()
    return found


def worst(findings: list[Finding]) -> str:
    return max((one.level for one in findings), key=["ok", "warn", "fail"].index)


def files(root: Path) -> dict[str, tuple[int, int, int]]:
    """Everything below a folder, but for what SQLite keeps beside an open database."""
    found = {str(path.relative_to(root)): path.stat() for path in root.rglob("*") if "wharfinger.db-" not in path.name}
    return {name: (stat.st_mode, stat.st_size, stat.st_mtime_ns) for name, stat in found.items() if name != "spool"}


def test_a_sound_home_has_no_failure_and_is_left_as_it_was(home: Home) -> None:
    """Every check answers, none fails, and nothing on the disk is other than before."""
    before = files(home.settings.home)
    found = look(home)

    assert {name for name, findings in found.items() if not findings} == set()
    assert {name: worst(findings) for name, findings in found.items() if worst(findings) == "fail"} == {}
    assert files(home.settings.home) == before


def _open_key(home: Home) -> None:
    (home.settings.home / "keys/signing.key").chmod(0o644)


def _tampered_model(home: Home) -> None:
    champion = home.registry.champion()
    path = next((home.settings.home / "models" / str(champion)).glob("*.npz"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def _damaged_database(home: Home) -> None:
    home.database.vacuum()
    home.database.close()
    path = home.settings.home / "wharfinger.db"
    raw = bytearray(path.read_bytes())
    for page in range(8, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(raw)


def _old_schema(home: Home) -> None:
    with closing(sqlite3.connect(home.settings.home / "wharfinger.db")) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '0001'")


def _unreadable_lake(home: Home) -> None:
    path = next((home.settings.home / "lake").rglob("*.parquet"))
    path.write_bytes(b"what a disk made of it")


@pytest.mark.parametrize(
    ("break_it", "check", "told"),
    [
        (_open_key, "private files", "chmod 600"),
        (_tampered_model, "model", "changed after signing"),
        (_damaged_database, "database", "damaged"),
        (_old_schema, "database", "wharfinger database migrate"),
        (_unreadable_lake, "lake", "parquet"),
    ],
)
def test_what_is_broken_fails_and_says_what_to_do(
    home: Home, break_it: Callable[[Home], None], check: str, told: str
) -> None:
    """Each fault is found by the check it belongs to."""
    break_it(home)
    found = look(home)[check]

    assert worst(found) == "fail"
    assert any(told in f"{one.told} {one.advice}" for one in found if one.level == "fail")


@pytest.mark.parametrize(
    ("settings", "check", "told"),
    [
        ({"listen_host": "192.0.2.1"}, "listening", "keys create"),
        ({"tls_certificate": "/nowhere.pem"}, "listening", "tls_key"),
        ({"oidc_issuer": "https://id.example"}, "access", "belong together"),
        ({"lake": "/proc/nowhere"}, "home", "no /proc/nowhere"),
        ({"database_url": "postgresql://ada:hunter2@127.0.0.1:1/w"}, "database", "start the database"),
    ],
)
def test_settings_that_cannot_work_are_told(home: Home, settings: dict[str, str], check: str, told: str) -> None:
    """What `serve` would refuse, or could not reach, fails here; no password is shown."""
    found = look(home, **settings)

    assert any(told in f"{one.told} {one.advice}" for one in found[check] if one.level == "fail"), found[check]
    assert "hunter2" not in str(found)


def test_what_others_need_is_not_looked_at_after_it_failed(home: Home) -> None:
    """With the database away its dependants say so in a line each and do not fail as well."""
    found = look(home, database_url="postgresql://127.0.0.1:1/w")

    assert worst(found["database"]) == "fail"
    assert {name for name, each in found.items() if "because of what database says" in each[0].told} >= {
        "outputs",
        "leader",
    }
    assert worst(found["lake"]) == "ok"


def test_what_wants_attention_is_a_warning(home: Home) -> None:
    """Old models, silent senders, clocks ahead, rejects, damage, stray variables: all warn, none fails."""
    now = datetime.now(UTC)
    for letters in home.rejects.iterdir():  # what other tests of the fleet had refused
        letters.unlink()
    (home.rejects / "x.ndjson").write_text('{"reason": "no source"}\n' * 3)
    (home.settings.home / "spool/x.damaged").touch()
    (home.settings.home / FILE).write_text('oidc_client_secret = "s3cret"\n')
    (home.settings.home / FILE).chmod(0o644)
    home.heard.note(pl.DataFrame({"source": ["zeek"], "host": ["n7"], "latest": [now - timedelta(days=2)]}))
    home.heard.note(pl.DataFrame({"source": ["zeek"], "host": ["n8"], "latest": [now + timedelta(days=2)]}))
    home.keys.create("ci", ["score"], now=now, expires=now + timedelta(days=1))
    found = look(home, now + timedelta(days=8), alert_bugdet="2")

    told = {name: " ".join(one.told for one in each if one.level == "warn") for name, each in found.items()}
    assert "WHARFINGER_ALERT_BUGDET" in told["settings"]
    assert "wharfinger.toml can be read by others" in told["private files"]
    assert "days old" in told["model"]
    assert "of n7 is silent" in told["sources"]
    assert "damaged" in told["set aside"]
    assert "fail" not in [one.level for each in found.values() for one in each]
    assert "s3cret" not in str(found)
    soon = look(home, now)
    assert "the newest event" in next(one.told for one in soon["clock"] if one.level == "warn")
    assert "3 records" in next(one.told for one in soon["set aside"] if "records" in one.told)
    assert "expires" in soon["access"][0].told


def test_outputs_without_their_secret_fail(home: Home) -> None:
    """A secret that is configured and not there is told by the place where it should be."""
    table = '[[outputs]]\ntype = "slack"\nname = "soc"\nsecret_env = "SLACK_URL"\n'
    (home.settings.home / FILE).write_text(table)

    assert "SLACK_URL" in next(one.told for one in look(home)["outputs"] if one.level == "fail")


def test_a_leader_that_died_is_told(home: Home) -> None:
    """Whoever renews the lease leads; whoever does not while it is watched may have died."""
    lease = Lease(home.database, LEASE)
    assert lease.take(0)
    site = Site(home.settings, {}, datetime.now(UTC), lambda _: None)
    (leader,) = [check for check in CHECKS if check.name == "leader"]

    (dead,) = examine(site, [leader._replace(needs=())])
    (alive,) = examine(
        Site(home.settings, {}, site.now, lambda _: lease.take(SECONDS / 4)), [leader._replace(needs=())]
    )

    assert (dead.level, alive.level) == ("warn", "ok")
    assert lease.holder in dead.told


def test_room_is_judged_by_its_share() -> None:
    """Little room warns, hardly any fails."""
    assert [room("/", free, 1000).level for free in (500, 100, 99, 10, 9)] == ["ok", "ok", "warn", "warn", "fail"]


def test_the_command_ends_as_its_findings_say(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """0 without failure and 1 with one; as NDJSON each line is a finding; settings that cannot be read are one."""
    monkeypatch.setenv("WHARFINGER_HOME", str(home.settings.home))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *words])
        return int(ended.value.code or 0), capfd.readouterr().out

    code, table = run()
    rows = [json.loads(line) for line in run("--format", "ndjson")[1].splitlines()]

    assert code == 0, table
    assert "what to do" in table
    assert [row["check"] for row in rows if row["check"] == "model"] == ["model"]
    assert {tuple(row) for row in rows} == {("check", "level", "told", "advice")}
    (home.settings.home / FILE).write_text("bugdet = 1\n")
    code, line = run("--format", "ndjson")
    assert code == 1
    assert "bugdet" in json.loads(line)["told"]


def test_without_a_home_nothing_is_made(tmp_path: Path) -> None:
    """A home that is not there is told, and not there afterwards."""
    settings = Settings.load(tmp_path / "none", {})
    found = examine(Site(settings, {}, NOW, lambda _: None))

    assert {one.check for one in found if one.level == "fail"} == {"home"}
    assert not settings.home.exists()
