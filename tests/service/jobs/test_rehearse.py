"""Scenarios played into the last day of a home's lake, with the home's own model."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from models.detector import Detector
from models.errors import ArtefactError
from models.incidents import alerts
from models.scores import SEVERITIES
from service.emulation.scenario import library
from service.jobs.errors import JobError
from service.jobs.progress import silent
from service.jobs.rehearse import rehearse
from service.settings import Settings
from service.validation.rehearsal import Rehearsal
from service.validation.trial import watched_scores
from service.wiring import Home, open_home
from tests.estates import Estate

PLAYED = [library()[name] for name in ("C01", "D04", "E04", "I08", "N07", "N16")]
MakeHome = Callable[..., Home]


@pytest.fixture(scope="module")
def make_home(tmp_path_factory: pytest.TempPathFactory, estate: Estate, detector: Detector) -> MakeHome:
    """Make a home with a copy of the estate's lake, or what a filter leaves of it, and the detector as champion."""

    def make(kept: pl.Expr | None = None) -> Home:
        folder = tmp_path_factory.mktemp("home")
        if kept is None:
            estate.lake.copy_to(folder / "lake")
        home = open_home(Settings.load(folder, {}))
        if kept is not None:
            home.lake.append(estate.lake.read().filter(kept))
        home.registry.promote(home.registry.save(detector.artefact(), created_at=datetime(2026, 9, 9, tzinfo=UTC)))
        return home

    return make


@pytest.fixture(scope="module")
def home(make_home: MakeHome) -> Home:
    return make_home()


def files(home: Home) -> dict[str, tuple[int, bytes]]:
    """Return every file of a home but the locks that readers take, with its time of change and content."""
    found = (path for path in home.settings.home.rglob("*") if path.is_file() and "lock" not in path.name)
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


@pytest.fixture(scope="module")
def before(home: Home) -> dict[str, tuple[int, bytes]]:
    return files(home)


@pytest.fixture(scope="module")
def report(home: Home, before: dict[str, tuple[int, bytes]]) -> Rehearsal:
    assert before
    return rehearse(home, scenarios=PLAYED)


def test_loud_scenarios_reach_high(report: Rehearsal) -> None:
    """A scan of the container networks within the hour, for what it is; the tunnel in DNS is stranger than its day."""
    rows = {row.scenario: row for row in report.scenarios if row.variant == "high"}

    scan, tunnel = rows["N16"], rows["N07"]
    assert SEVERITIES.index(scan.severity) >= SEVERITIES.index("high")
    assert scan.delay is not None
    assert 0 < scan.delay < 60
    assert "first contact" in scan.why
    assert "names asked" in tunnel.why
    assert all(row.bits > row.quiet_bits for row in (scan, tunnel))


def test_what_is_not_played_is_listed_with_its_reason(report: Rehearsal) -> None:
    told = dict(line.split(": ", 1) for line in report.unplayed)

    assert {"C01", "D04", "E04"} <= set(told)
    assert all(told.values())
    seen = [(row.scenario, row.variant) for row in report.scenarios]
    assert seen == sorted(seen, key=lambda each: (each[0], each[1] != "high"))
    wanted = {(each, variant) for each in ("I08", "N07", "N16") for variant in ("high", "dampened")}
    assert set(seen) | {tuple(which.split()) for which in told if " " in which} == wanted


def test_the_day_and_its_own_alerts_are_told(report: Rehearsal, estate: Estate, detector: Detector) -> None:
    """The last full day, of whose first ten minutes the model has learnt."""
    since, until = (datetime.fromisoformat(moment) for moment in (report.since, report.until))
    own = [
        score for score in watched_scores(estate.lake, detector, since, silent) if score.window_start >= report.since
    ]

    assert (since, until) == (estate.until - timedelta(minutes=10), estate.until + timedelta(days=1, minutes=-10))
    assert report.learnt
    assert report.alerts == len(alerts(own))
    assert report.workloads > 8
    assert report.unseen == ()


def test_nothing_of_the_home_changes(home: Home, before: dict[str, tuple[int, bytes]], report: Rehearsal) -> None:
    assert report.scenarios
    assert files(home) == before


@pytest.mark.slow
def test_a_seed_gives_the_same_report_and_another_gives_others(home: Home) -> None:
    one, again, other = (rehearse(home, scenarios=PLAYED[-1:], variants=["high"], seed=seed) for seed in (1, 1, 2))

    assert one == again
    assert one != other


@pytest.mark.slow
def test_a_challenger_is_measured_by_its_version(home: Home) -> None:
    (version,) = (entry["version"] for entry in home.registry.versions())

    assert rehearse(home, version=version, scenarios=[]).model == version
    with pytest.raises(ArtefactError, match="no model 'another'"):
        rehearse(home, version="another", scenarios=[])


@pytest.mark.slow
def test_scenarios_show_only_in_the_logs_that_there_are(make_home: MakeHome) -> None:
    """Without DNS a tunnel in it is a few flows, if anything."""
    report = rehearse(make_home(pl.col("kind") != "dns"), scenarios=[library()["N07"]], variants=["high"])

    assert report.unseen == ("dns",)
    assert "names asked" not in report.scenarios[0].why


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (pl.lit(value=False), "less than a day"),
        (pl.col("ts") >= pl.lit(datetime(2026, 9, 9, 3, tzinfo=UTC)), "less than a day"),
        (pl.col("source") == "zeek", "ingest Docker events and inspect snapshots"),
    ],
)
def test_a_lake_that_tells_too_little_is_refused(make_home: MakeHome, kept: pl.Expr, message: str) -> None:
    with pytest.raises(JobError, match=message):
        rehearse(make_home(kept), scenarios=PLAYED)


def test_a_home_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="wharfinger refresh"):
        rehearse(open_home(Settings.load(tmp_path, {})))
