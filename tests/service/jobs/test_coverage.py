"""What the lake covers is counted once, kept in the database, and told without reading the lake."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from features.coverage import COVERAGE_SCHEMA
from service.app import create_app
from service.cli import main
from service.coverage import CoverageStore
from service.cursors import CursorError
from service.database import Database
from service.heard import Heard
from service.jobs.coverage import measure_coverage
from service.jobs.follow import tidy
from service.jobs.ingest import ingest
from service.settings import Settings
from service.wiring import Home, open_home
from tests.homes import copy_home

START = datetime(2026, 9, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rows(*told: tuple[str, str, str, int, int, int]) -> pl.DataFrame:
    """Make coverage; times are in hours after the start."""
    return pl.DataFrame(
        [(*key, count, START + first * HOUR, START + last * HOUR) for *key, count, first, last in told],
        COVERAGE_SCHEMA,
        orient="row",
    )


@pytest.fixture
def home(fleet: object, tmp_path: Path) -> Home:
    """A copy of the fleet's home."""
    copy_home(fleet.settings.home, tmp_path / "home")  # type: ignore[attr-defined]  # a fixture of this folder
    return open_home(Settings.load(tmp_path / "home", {}))


def test_the_lake_is_counted(home: Home) -> None:
    """Every event is counted once, on the host that snapshots name, whatever was counted before."""
    events = home.lake.read(columns=["source", "ts"])

    assert measure_coverage(home)
    first = home.coverage.sources()

    assert [(one.source, one.host) for one in first] == [("docker_inspect", "n1"), ("zeek", "n1")]
    assert sum(one.events for one in first) == len(events)
    assert [(one.workloads, one.unattributed) for one in first] == [(4, 0), (4, 0)]
    assert first[1].last_seen == events["ts"].max()
    assert (first[0].silent_since, first[1].silent_since) == (first[0].last_seen, None)
    assert measure_coverage(home)
    assert home.coverage.sources() == first
    page, cursor = home.coverage.workloads(source="zeek")
    assert ([one.workload for one in page], cursor) == (
        [f"docker:shop/{n}" for n in ("api", "db", "web", "worker")],
        None,
    )
    assert sum(one.events for one in page) == first[1].events


def test_what_is_new_is_added(home: Home, tmp_path: Path) -> None:
    """Events that came since are counted; a compaction changes no number."""
    measure_coverage(home)
    before = home.coverage.sources()
    later = home.lake.span()[1] + 2 * HOUR
    flow = {"ts": later.timestamp(), "uid": "C1", "proto": "tcp", "conn_state": "SF"}
    ends = {"id.orig_h": "198.51.100.9", "id.orig_p": 1, "id.resp_h": "192.0.2.1", "id.resp_p": 443}
    (tmp_path / "more.ndjson").write_text(json.dumps(flow | ends))
    ingest(home, [tmp_path / "more.ndjson"])

    measure_coverage(home)
    after = home.coverage.sources()
    home.lake.compact(later + timedelta(days=2))
    measure_coverage(home)

    assert [(one.events, one.unattributed) for one in after if one.host == ""] == [(1, 1)]
    assert [one.silent_since is None for one in after] == [False, True, False]
    assert sum(one.events for one in after) == sum(one.events for one in before) + 1
    assert home.coverage.sources() == after


def test_what_was_counted_is_not_read_again(home: Home) -> None:
    """Files that could not be read any more are not missed once they were counted."""
    measure_coverage(home)
    before = home.coverage.sources()
    for path in (home.settings.home / "lake").rglob("*.parquet"):
        path.write_bytes(b"")

    assert measure_coverage(home)
    assert home.coverage.sources() == before


def test_counting_stops_in_time_and_goes_on(home: Home) -> None:
    """With no time nothing is counted, and the next time all of it is."""
    assert not measure_coverage(home, patience=timedelta(0))
    assert home.coverage.sources() == []
    tidy(home, now=home.lake.span()[1])
    assert len(home.coverage.sources()) == 2


def test_what_was_seen_first_stays(database: Database) -> None:
    """The first time outlasts the lake's files; what the lake holds no more has no events, and is forgotten later."""
    store = CoverageStore(database)
    store.replace(rows(("zeek", "n1", "a", 5, 0, 3), ("zeek", "n1", "", 2, 0, 1)))
    store.replace(rows(("zeek", "n1", "a", 4, 2, 6)))

    (source,) = store.sources()
    assert (source.events, source.unattributed, source.workloads) == (4, 0, 1)
    assert (source.first_seen, source.last_seen) == (START, START + 6 * HOUR)
    assert store.latest() == START + 6 * HOUR
    store.forget(START + 2 * HOUR)
    assert [one.workload for one in store.workloads()[0]] == ["a"]
    store.forget(START + 7 * HOUR)
    assert (store.sources(), store.latest()) == ([], None)


def test_silence_counts_up_to_what_was_heard_last(database: Database) -> None:
    """What intake heard since the count moves time on, also of sources that were not counted yet."""
    store = CoverageStore(database)
    store.replace(rows(("zeek", "n1", "a", 5, 0, 3), ("docker_events", "n1", "a", 1, 0, 1)))
    heard = {"source": ["zeek", "falco"], "host": ["n1", "n2"], "latest": [START + 4 * HOUR, START + 2 * HOUR]}
    Heard(database).note(pl.DataFrame(heard))

    told = {(one.source, one.host): one for one in store.sources()}

    assert told["zeek", "n1"].last_seen == START + 4 * HOUR
    assert told["zeek", "n1"].silent_since is None
    assert told["docker_events", "n1"].silent_since == START + HOUR
    assert (told["falco", "n2"].events, told["falco", "n2"].first_seen) == (0, None)
    patient = {one.source: one.silent_since for one in store.sources(host="n1", silent_after=4 * HOUR)}
    assert patient == {"zeek": None, "docker_events": None}


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
def test_pages_hold_every_row_once(database: Database, limit: int) -> None:
    """The cursors walk through every workload, source and host in order, and belong to their question."""
    store = CoverageStore(database)
    told = [(source, host, f"w{n}", 1, 0, 1) for source in ("zeek", "falco") for host in ("", "n1") for n in range(4)]
    store.replace(rows(*told, ("zeek", "", "", 9, 0, 1)))

    found, cursor = store.workloads(limit=limit)
    if cursor:
        with pytest.raises(CursorError):
            store.workloads(limit=limit, cursor=cursor, host="n1")
    while cursor:
        page, cursor = store.workloads(limit=limit, cursor=cursor)
        found += page

    keys = [(one.workload, one.source, one.host) for one in found]
    assert keys == sorted({(workload, source, host) for source, host, workload, *_ in told})
    assert {one.host for one in store.workloads(host="", workload="w1")[0]} == {""}


def test_coverage_is_told_over_http(home: Home) -> None:
    """The answer is of the database alone: it is the same when the lake cannot be read."""
    measure_coverage(home)
    client = create_app(home.settings).test_client()
    told = client.get("/v1/coverage?source=zeek").json
    (home.settings.home / "lake").rename(home.settings.home / "elsewhere")

    assert client.get("/v1/coverage?source=zeek").json == told
    assert told["sources"][0]["events"] > 1000
    assert client.get("/v1/coverage?host=").json["sources"] == []
    assert client.get("/v1/coverage?silent_after=0").status_code == 422
    page = client.get("/v1/coverage/workloads?limit=3&host=n1").json
    assert [one["workload"] for one in page["workloads"]] == ["docker:shop/api", "docker:shop/api", "docker:shop/db"]
    assert client.get(f"/v1/coverage/workloads?limit=3&cursor={page['next']}").status_code == 422


def test_the_command_tells_the_same(home: Home, settings_at: Callable[..., Settings]) -> None:
    """The table is for people, NDJSON is what the API gives; an empty lake is an error that says what to do."""
    where = ["--home", str(home.settings.home), "coverage"]
    table = CliRunner().invoke(main, where)
    sources = CliRunner().invoke(main, [*where, "--format", "ndjson"])
    workloads = CliRunner().invoke(main, [*where, "--workloads", "--format", "ndjson"])
    nothing = CliRunner().invoke(main, ["--home", str(settings_at().home / "new"), "coverage"])

    client = create_app(home.settings).test_client()
    assert [json.loads(line) for line in sources.stdout.splitlines()] == client.get("/v1/coverage").json["sources"]
    assert [json.loads(line) for line in workloads.stdout.splitlines()] == client.get(
        "/v1/coverage/workloads?limit=1000"
    ).json["workloads"]
    assert "docker_inspect" in table.stdout
    assert "0.0 %" in table.stdout
    assert CliRunner().invoke(main, [*where, "--workloads"]).stdout.count("docker:shop/") == 8
    assert (nothing.exit_code, "the lake is empty" in nothing.stderr) == (1, True)
