"""What a home knows of a run on a real host: whether its telemetry has arrived, and whether it was detected."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from features.ingest import events_from_records
from models.scores import BaselineInfo, Reason, Score, Severity
from service.cli.emulate import show_detection
from service.emulation.live.playing import Played
from service.jobs.emulate import detection, watch
from service.settings import Settings
from service.wiring import Home, open_home

BEGIN = datetime(2026, 9, 14, 9, 25, tzinfo=UTC)
VICTIM, SINK, OTHER = "a" * 64, "b" * 64, "c" * 64
WORKLOAD = "docker:emulation-0123abcd/web"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(Settings.load(tmp_path, {}))


@pytest.fixture
def played() -> Played:
    names = {VICTIM: "emulation-0123abcd-web-1", SINK: "wharfinger-0123abcd-controller"}
    return Played("0123abcd", BEGIN, BEGIN + timedelta(minutes=3), names)


def arrive(home: Home, identity: str, name: str) -> None:
    labels = {"com.docker.compose.project": "emulation-0123abcd", "com.docker.compose.service": "web"}
    attributes = {"image": "i", "name": name, **(labels if identity == VICTIM else {})}
    event = {"Type": "container", "Action": "start", "Actor": {"ID": identity, "Attributes": attributes}}
    moment = int(BEGIN.timestamp())
    home.lake.append(events_from_records([event | {"time": moment, "host": "h"}], ref="t").events)


def a_score(severity: Severity, bits: float, workload: str = WORKLOAD, minutes: int = 0) -> Score:
    start = BEGIN.replace(minute=20) + timedelta(minutes=minutes)
    return Score(
        workload=workload,
        window_start=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        window_end=f"{start + timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}",
        score=bits / (bits + 10),
        bits=bits,
        p_value=2.0**-bits,
        severity=severity,
        evidence={"network": bits},
        reasons=[Reason(feature="network.x", value="1", expected="0", bits=bits, technique="T1571", text="a reason")],
        baseline=BaselineInfo(level="fleet", maturity=0.0, windows=0),
        model="m",
    )


def told(home: Home, played: Played, capsys: pytest.CaptureFixture[str]) -> str:
    show_detection(detection(home, played), played, waited=True)
    return capsys.readouterr().out


def test_nothing_has_arrived(home: Home, played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    arrive(home, OTHER, "someone-else")

    assert told(home, played, capsys) == "no telemetry of this run has arrived: is a collector running?\n"


def test_it_has_arrived_and_is_not_scored_yet(home: Home, played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    arrive(home, VICTIM, "emulation-0123abcd-web-1")
    arrive(home, SINK, "wharfinger-0123abcd-controller")

    said = told(home, played, capsys)

    assert f"2 events of this run have arrived, as {WORKLOAD}" in said
    assert "no window of this run has been scored" in said


def test_the_first_strange_window_of_its_own_is_when_it_was_detected(
    home: Home, played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores of others, and of the same name at other times, are not the run's."""
    arrive(home, VICTIM, "emulation-0123abcd-web-1")
    home.store.replace([a_score("critical", 30, "docker:shop/api"), a_score("critical", 40, minutes=60)])
    home.store.replace([a_score("high", 16.5)])

    found = detection(home, played)

    assert [score.bits for score in found.scores] == [16.5]
    assert found.first == found.strongest == found.scores[0]
    assert "detected: high, window to 09:30; the run began at 09:25:00" in told(home, played, capsys)


def test_a_quiet_window_is_no_detection(home: Home, played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    arrive(home, VICTIM, "emulation-0123abcd-web-1")
    home.store.replace([a_score("low", 6)])

    said = told(home, played, capsys)

    assert "not detected: the strongest of its windows is low" in said
    assert "a reason" in said


def test_watching_ends_once_the_last_window_is_scored_or_time_is_up(home: Home, played: Played) -> None:
    arrive(home, VICTIM, "emulation-0123abcd-web-1")
    assert watch(home, played, str, seconds=0).scores == ()
    home.store.replace([a_score("low", 6)])

    assert len(watch(home, played, str, seconds=600).scores) == 1
