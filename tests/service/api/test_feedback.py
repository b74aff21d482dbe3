"""What people tell the service, and what it makes of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from features.configuration import docker_tokens
from service.feedback import MAX_LISTED, of_change
from service.jobs.score import score
from service.settings import Settings
from service.statements import Change, Verdict
from service.tables import feedback_table
from service.wiring import Home

SPLIT = datetime(2026, 9, 13, tzinfo=UTC)
INCIDENT = "2026-09-13T02:00:00Z/docker:shop/api"
EDGE = "203.0.113.66:4444"
CHANGE = {"workload": "docker:shop/*", "from": "2026-09-13T00:00:00Z", "until": "2026-09-14T00:00:00Z", "by": "ci"}


class Fleet(Protocol):
    """What the fixture `fleet` gives."""

    settings: Settings
    home: Home


@pytest.fixture(autouse=True)
def forgotten(fleet: Fleet) -> Iterator[None]:
    """Forget what a test said, and score as if it had not."""
    yield
    with fleet.home.database.writing() as connection:
        connection.execute(sa.delete(feedback_table))
    score(fleet.home, since=SPLIT)


def post(client: FlaskClient, path: str, body: dict[str, Any]) -> Any:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json


def get(client: FlaskClient, path: str) -> Any:
    return client.get(path).json


def strongest(fleet: Fleet) -> dict[str, Any]:
    found = max((s for s in score(fleet.home, since=SPLIT) if s.workload == "docker:shop/api"), key=lambda s: s.bits)
    return {"severity": found.severity, "bits": found.bits, "reasons": found.reasons}


def window(client: FlaskClient, *edges: str) -> Any:
    asked = {
        "workload": "docker:shop/api",
        "window_start": "2026-09-13T04:00:00Z",
        "features": {"network.connections": 6, "network.new_edge": [*edges]},
    }
    return post(client, "/v1/scores", {"windows": [asked]})["scores"][0]


def test_an_announced_destination_is_explained_and_stays_visible(client: FlaskClient) -> None:
    """A first contact that a change names raises no score and carries the change's id; another one counts as ever."""
    before = window(client, EDGE)

    change = post(client, "/v1/changes", CHANGE | {"destinations": [EDGE]})

    after, other = window(client, EDGE), window(client, "203.0.113.67:4444")
    assert before["bits"] > after["bits"] == window(client)["bits"]
    assert [reason["explained"] for reason in after["reasons"]] == [change["id"]]
    assert after["reasons"][0]["text"] == before["reasons"][0]["text"]
    assert other["bits"] >= before["bits"]
    assert all("explained" not in reason for reason in other["reasons"])


def test_a_withdrawn_change_explains_nothing(client: FlaskClient) -> None:
    """After DELETE a change is gone from the list and from scores; a second DELETE finds none."""
    before = window(client, EDGE)
    change = post(client, "/v1/changes", CHANGE | {"destinations": [EDGE]})["id"]
    assert [one["id"] for one in get(client, "/v1/changes")["changes"]] == [change]

    assert client.delete(f"/v1/changes/{change}").json["id"] == change

    assert get(client, "/v1/changes")["changes"] == []
    assert window(client, EDGE) == before
    assert client.delete(f"/v1/changes/{change}").status_code == 404


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"destinations": [EDGE], "until": "2026-09-12T00:00:00Z"}, "end after"),
        ({}, "must name"),
        ({"destinations": ["a"] * 101}, "length"),
        ({"destinations": [EDGE], "by": ""}, "length"),
    ],
)
def test_a_change_that_says_nothing_is_refused(client: FlaskClient, given: dict[str, object], word: str) -> None:
    """A change that ends before it begins, names nothing or nobody, or names too much is a 422 that says so."""
    answer = client.post("/v1/changes", json=CHANGE | given)

    assert answer.status_code == 422
    assert word in answer.json["detail"]


def test_an_expected_verdict_applies_at_the_next_scoring(client: FlaskClient, fleet: Fleet) -> None:
    """What made the incident strange is explained without a refresh, and counts again once the verdict is withdrawn."""
    before = strongest(fleet)

    verdict = post(client, f"/v1/incidents/{INCIDENT}/verdict", {"verdict": "expected", "by": "ada"})

    after = strongest(fleet)
    assert before["severity"] in {"high", "critical"}
    assert after["severity"] in {"none", "low"}
    assert ["network.new_edge", EDGE] in verdict["items"]
    client.delete(f"/v1/verdicts/{verdict['id']}")
    assert strongest(fleet) == before


def test_an_expected_verdict_does_not_hide_more_of_the_same(client: FlaskClient) -> None:
    """A volume above the one that was called expected still scores."""
    verdict = post(client, f"/v1/incidents/{INCIDENT}/verdict", {"verdict": "expected", "by": "ada"})
    most = verdict["at_most"]["network.bytes_out"]
    asked = [
        {
            "workload": "docker:shop/api",
            "window_start": "2026-09-13T04:00:00Z",
            "features": {"network.bytes_out": value},
        }
        for value in (most, 1000 * most)
    ]

    scored = [post(client, "/v1/scores", {"windows": [one]})["scores"][0] for one in asked]

    assert scored[0]["bits"] < scored[1]["bits"]
    assert [scored[0]["reasons"][0]["explained"]] == [verdict["id"]]


@pytest.mark.parametrize("verdict", ["attack", "unsure"])
def test_other_verdicts_explain_nothing(client: FlaskClient, fleet: Fleet, verdict: str) -> None:
    """A verdict of attack or unsure leaves scores as they are, and is listed."""
    before = strongest(fleet)

    client.post(f"/v1/incidents/{INCIDENT}/verdict", json={"verdict": verdict, "by": "ada"})

    assert strongest(fleet) == before
    assert [one["verdict"] for one in get(client, "/v1/verdicts")["verdicts"]] == [verdict]


@pytest.mark.parametrize(
    "incident", ["x", "2026-09-13T02:00:00Z/docker:no/such", "2026-09-13T02:00:00/docker:shop/api"]
)
def test_an_unknown_incident_is_404(client: FlaskClient, incident: str) -> None:
    """A verdict needs an incident that is stored."""
    answer = client.post(f"/v1/incidents/{incident}/verdict", json={"verdict": "expected", "by": "ada"})

    assert answer.status_code == 404


def test_alerts_carry_the_id_that_verdicts_take(client: FlaskClient) -> None:
    """The id of the first alert names the break-in."""
    assert get(client, "/v1/incidents")["incidents"][0]["id"] == INCIDENT


def test_proposals_leave_out_what_has_a_verdict(client: FlaskClient) -> None:
    """The break-in is proposed with a reason to ask until somebody ruled on it; a limit of none is refused."""
    before = get(client, "/v1/verdicts/proposals?limit=100")["proposals"]
    client.post(f"/v1/incidents/{INCIDENT}/verdict", json={"verdict": "attack", "by": "ada"})
    after = get(client, "/v1/verdicts/proposals?limit=100")["proposals"]

    assert {one["alert"]["id"] for one in before} - {one["alert"]["id"] for one in after} == {INCIDENT}
    assert all(one["settles"] >= 0 and one["why"] for one in before)
    assert client.get("/v1/verdicts/proposals?limit=0").status_code == 422


def test_proposals_need_a_model(empty: FlaskClient) -> None:
    """Without a model there is no threshold to be near, and the answer is 503."""
    assert empty.get("/v1/verdicts/proposals").status_code == 503


def test_pages_label_what_is_explained(client: FlaskClient, fleet: Fleet) -> None:
    """A reason that a verdict explains is shown with the verdict's id at the window, and is no incident any more."""
    verdict = post(client, f"/v1/incidents/{INCIDENT}/verdict", {"verdict": "expected", "by": "ada"})
    score(fleet.home, since=SPLIT)

    page = client.get("/workloads/docker:shop/api?at=2026-09-13T02:00:00Z").text

    assert f"explained by {verdict['id']}" in page
    assert "at=2026-09-13T02:" not in client.get("/?workload=docker:shop/api").text


def test_an_image_is_explained_wherever_it_is_seen() -> None:
    """A change of image explains its registry, publisher, repository, the digest behind its tag, and new containers."""
    announced = Change(
        id="c", workload="w", since=SPLIT, until=SPLIT + timedelta(days=1), by="ci", image="registry.example/a/b:1"
    )

    found = of_change(announced)

    assert ("pulls.new_repository", "registry.example/a/b") in found.items
    assert ("pulls.moved_tag", "registry.example/a/b:1 *") in found.items
    assert ("config.new_setting", "Image=registry.example/a/b:1") in found.items
    assert ("config.rolled_out", "Image=registry.example/a/b:1") in found.items
    assert found.at_most["config.creations"] > 0


def test_the_fields_of_the_documentation_are_settings_as_they_are_read() -> None:
    """A variable is announced by the token that its configuration has, or the announcement explains nothing."""
    read = set(docker_tokens({"Config": {"Env": ["MODE=fast"]}, "HostConfig": {"Memory": 1 << 30}}))
    announced = Change(
        id="c", workload="w", since=SPLIT, until=SPLIT + timedelta(days=1), by="ci", fields=["Memory", "EnvKey=MODE"]
    )

    named = {item for feature, item in of_change(announced).items if feature == "config.new_setting"}

    assert named == {"Memory=*", "EnvKey=MODE"}
    assert "EnvKey=MODE" in read
    assert any(token.startswith("Memory=") for token in read)


def test_a_destination_is_explained_wherever_it_is_named() -> None:
    """Calling it at intervals, sending to it little by little and asking it by number are announced with it."""
    announced = Change(
        id="c", workload="w", since=SPLIT, until=SPLIT + timedelta(days=1), by="ci", destinations=["203.0.113.7:443"]
    )

    found = of_change(announced)

    for feature in ("network.new_edge", "network.beacon", "network.internal_beacon"):
        assert (feature, "203.0.113.7:443") in found.items
    for feature in ("network.new_destination", "network.drip", "network.bare_address"):
        assert (feature, "203.0.113.7") in found.items


def test_no_attack_is_forgotten_among_many_statements(fleet: Fleet) -> None:
    """A listing is bounded; what a refresh must never learn is not, however much was said since."""
    said = [
        Verdict(
            id=f"verdict-{number:04}",
            verdict="attack" if number == 0 else "unsure",
            workload="docker:shop/api",
            start=SPLIT,
            end=SPLIT,
            until=SPLIT + timedelta(days=number),
            by="me",
        )
        for number in range(MAX_LISTED + 1)
    ]

    for one in said:
        fleet.home.feedback.add(one)

    assert "attack" in {one.verdict for one in fleet.home.feedback.statements(Verdict)}
    assert len(fleet.home.feedback.statements(Verdict, limit=MAX_LISTED)) == MAX_LISTED
