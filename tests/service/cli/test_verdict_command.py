"""The command that takes people's word on incidents, and says whose word would help most."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
import sqlalchemy as sa

from service.cli import main
from service.jobs.score import score
from service.settings import Settings
from service.statements import Verdict
from service.tables import feedback_table
from service.wiring import Home

SPLIT = datetime(2026, 9, 13, tzinfo=UTC)
INCIDENT = "2026-09-13T02:00:00Z/docker:shop/api"


class Fleet(Protocol):
    """What the fixture `fleet` gives."""

    settings: Settings
    home: Home


@pytest.fixture(autouse=True)
def forgotten(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test said, and score as if it had not."""
    monkeypatch.setenv("WHARFINGER_HOME", str(fleet.settings.home))
    yield
    with fleet.home.database.writing() as connection:
        connection.execute(sa.delete(feedback_table))
    score(fleet.home, since=SPLIT)


class Wharfinger:
    """Runs the command line in this process, and keeps what it writes."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        out, err = self._capfd.readouterr()
        return int(ended.value.code or 0), out, err

    def listed(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*words, "--format", "ndjson")[1].splitlines()]


@pytest.fixture
def wharfinger(capfd: pytest.CaptureFixture[str]) -> Wharfinger:
    return Wharfinger(capfd)


def test_a_verdict_is_given_listed_and_withdrawn(wharfinger: Wharfinger) -> None:
    """A verdict is listed with its note until it is withdrawn; to withdraw it twice is an error."""
    assert wharfinger("verdict", INCIDENT, "expected", "--note", "the new mail host")[0] == 0
    (given,) = wharfinger.listed("verdict")
    assert (given["workload"], given["verdict"], given["note"]) == ("docker:shop/api", "expected", "the new mail host")
    assert given["id"] in wharfinger("verdict")[1]

    assert wharfinger("verdict", "--withdraw", given["id"])[0] == 0

    assert wharfinger.listed("verdict") == []
    code, _, error = wharfinger("verdict", "--withdraw", given["id"])
    assert code == 1
    assert "there is no verdict" in error


def test_a_verdict_alone_names_no_siblings(wharfinger: Wharfinger) -> None:
    """With --alone neither image nor cohort is kept; without it both are."""
    wharfinger("verdict", INCIDENT, "expected")
    wharfinger("verdict", INCIDENT, "expected", "--alone", "--until", "2099-01-01")

    alone, shared = wharfinger.listed("verdict")

    assert shared["image_repository"]
    assert shared["cohort"]
    assert alone["until"] == "2099-01-01T00:00:00Z"
    assert (alone.get("image_repository"), alone.get("cohort")) == (None, None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((INCIDENT,), "expected, attack, unsure"),
        (("2026-09-13T02:00:00Z/docker:no/such", "attack"), "no incident"),
        ((INCIDENT, "expected", "--until", "2026-09-13"), "expired already"),
    ],
)
def test_what_cannot_be_ruled_on_is_said_in_one_line(wharfinger: Wharfinger, words: tuple[str, ...], told: str) -> None:
    """No verdict, no such incident or an expiry in the past ends with one line and keeps nothing."""
    code, _, error = wharfinger("verdict", *words)

    assert code == 1
    assert told in error
    assert len(error.splitlines()) == 1
    assert wharfinger.listed("verdict") == []


def test_an_incident_is_proposed_until_it_has_a_verdict(wharfinger: Wharfinger) -> None:
    """The break-in is among the proposals with a reason to ask, and no more once somebody ruled on it."""
    before = wharfinger.listed("verdict", "--propose")
    wharfinger("verdict", INCIDENT, "attack")
    after = wharfinger.listed("verdict", "--propose")

    assert INCIDENT in [one["alert"]["id"] for one in before]
    assert all("above the threshold" in one["why"] for one in before)
    assert INCIDENT not in [one["alert"]["id"] for one in after]


@pytest.mark.parametrize(("minutes", "asked"), [(-5, False), (10, False), (-60, True)])
def test_a_verdict_on_part_of_an_incident_counts(
    wharfinger: Wharfinger, fleet: Fleet, *, minutes: int, asked: bool
) -> None:
    """A verdict whose span only shares time with the incident rules on it; one that ended before does not."""
    start = datetime.fromisoformat(INCIDENT.partition("/")[0]) + timedelta(minutes=minutes)
    ruled = Verdict(
        id="verdict-part",
        verdict="unsure",
        workload="docker:shop/api",
        start=start,
        end=start + timedelta(minutes=10),
        until=start + timedelta(days=900),
        by="a test",
    )
    fleet.home.feedback.add(ruled)

    found = wharfinger.listed("verdict", "--propose")

    assert (INCIDENT in [one["alert"]["id"] for one in found]) is asked


def test_an_explained_reason_is_labelled(wharfinger: Wharfinger, fleet: Fleet) -> None:
    """After an expected verdict and a new scoring, explain says beside the reason whose word it stands on."""
    wharfinger("verdict", INCIDENT, "expected")
    (given,) = wharfinger.listed("verdict")
    score(fleet.home, since=SPLIT)

    told = wharfinger("explain", "docker:shop/api", "2026-09-13T02:00:00Z")[1]

    assert f"explained by {given['id']}" in " ".join(told.split())
