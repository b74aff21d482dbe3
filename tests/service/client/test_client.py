"""The client against the service itself, over sockets."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask, request

from models.scores import Score
from service.app import create_app
from service.client import AnswerError, ChangeRequest, Client, Refused, UnreachableError, VerdictRequest, Window
from service.client.client import KEY_VARIABLE
from service.settings import Settings
from tests.service.client.conftest import served
from tests.service.conftest import SPLIT, telemetry

START = datetime(2026, 9, 13, 12, tzinfo=UTC)
CALM = Window(workload="docker:shop/db", window_start=START, features={"network.connections": 6})
STRANGE = Window(
    workload="docker:shop/api",
    window_start=START,
    features={"network.connections": 60, "network.new_edge": {"203.0.113.66:4444": 60}},
)
UNFIT = Window(workload="docker:shop/web", window_start=START, features={"network.nonsense": 1})
FOREIGN = ("inference", "mlflow")  # resources that others' clients are for


def test_it_imports_nothing_heavy() -> None:
    """A process that only asks the service loads neither the web framework nor what makes features and models."""
    heavy = {"flask", "werkzeug", "polars", "sklearn", "scipy", "sqlalchemy", "joblib", "click", "rich"}
    code = f"import sys, service.client; sys.exit(','.join({heavy} & set(sys.modules)) or 0)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_every_operation_has_a_method(copied: Flask, url: str) -> None:
    """What the OpenAPI document lists, the client can ask for, and what it asks for is listed."""
    asked: set[tuple[str, str]] = set()

    def remember() -> None:
        if request.url_rule is not None:
            rule = request.url_rule.rule.replace("<path:", "{").replace("<", "{").replace(">", "}")
            asked.add((request.method, rule))

    copied.before_request_funcs.setdefault(None, []).append(remember)
    with Client(url) as client:
        document = client.openapi()
        client.health(), client.ready(), client.metrics(), client.features()
        client.score([CALM])
        client.send_events(telemetry()[:1])
        next(client.scores(), None)
        incident = next(client.incidents())
        client.incident(incident.id)
        client.proposals(limit=1)
        verdict = client.give_verdict(incident.id, VerdictRequest(verdict="unsure", by="ada"))
        assert verdict in client.verdicts()
        assert client.withdraw_verdict(verdict.id) == verdict
        change = client.announce(
            ChangeRequest(workload="docker:shop/*", until=datetime(2099, 1, 1, tzinfo=UTC), by="ci", fields=["Memory"])
        )
        assert change in client.changes()
        assert client.withdraw_change(change.id) == change
        client.baseline(client.workloads()[0].workload)
        champion = client.models().champion
        assert champion
        assert client.model(champion).champion
        assert client.promote(champion).champion == champion
        client.strategy(client.strategies()[0].id)
        assert client.coverage(silent_after=60).sources is not None
        next(client.covered_workloads(limit=1), None)
        list(client.audit(limit=2))
    copied.before_request_funcs[None].remove(remember)

    documented = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, one in methods.items()
        if one["tags"][0] not in FOREIGN
    }
    assert asked == documented


def test_scores_are_those_of_the_service(wharfinger: Client) -> None:
    """Windows are scored in their order; one that cannot be scored is refused in its place, with a pointer."""
    strange, refused, calm = wharfinger.score([STRANGE, UNFIT, CALM])

    assert isinstance(strange, Score)
    assert isinstance(calm, Score)
    assert isinstance(refused, Refused)
    assert strange.bits > calm.bits
    assert refused.error.errors[0].pointer.startswith("#/windows/1")


def test_problems_are_exceptions(wharfinger: Client) -> None:
    """What the service refuses says its status, its reason and the places of the faults, in one line too."""
    with pytest.raises(AnswerError, match=r"POST /v1/scores was answered 422: .*network\.nonsense") as caught:
        wharfinger.score([UNFIT])

    assert (caught.value.status, caught.value.title) == (422, "Unprocessable Entity")
    assert [fault.pointer for fault in caught.value.errors] == ["#/windows/0"]
    with pytest.raises(AnswerError, match="404"):
        wharfinger.baseline("docker:no/such")


def test_pages_are_gone_through(wharfinger: Client) -> None:
    """Every stored score comes once, however small the pages, and filters hold."""
    whole = list(wharfinger.scores(limit=1000, since=SPLIT))
    paged = list(wharfinger.scores(limit=7, since=SPLIT))

    assert paged == whole
    assert len({(one.workload, one.window_start) for one in paged}) == len(paged) > 100
    assert {one.workload for one in wharfinger.scores(workload="docker:shop/db", limit=50)} == {"docker:shop/db"}
    assert next(wharfinger.incidents(limit=1)).workload == "docker:shop/api"


def test_telemetry_is_sent_in_batches(settings_at: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """Records go in several requests; bad ones are told by their place among all, and harm no other."""
    monkeypatch.setattr("service.client.sending.MOST_RECORDS", 10)
    records: list[Any] = telemetry()[:35]
    records[12:12] = [{"what": "ever"}]
    records += [{"bad": number} for number in range(10)]
    with served(create_app(settings_at())) as url, Client(url) as client:
        sent, again = client.send_events(iter(records), host="n1"), client.send_events(records, host="n1")

    assert (sent.accepted, sent.duplicate, sent.rejected, sent.total) == (35, 0, 11, 46)
    assert [fault.pointer for fault in sent.errors] == ["#/12", *(f"#/{number}" for number in range(36, 46))]
    assert {name: counts.accepted for name, counts in sent.sources.items()} == {"docker_inspect": 4, "zeek": 31}
    assert (again.accepted, again.duplicate, again.rejected) == (0, 35, 11)


def test_the_key_comes_from_the_environment(fleet: Any, guarded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is an argument or an environment variable; without one, and with one of another scope, it is refused."""
    with served(guarded.app) as url:
        monkeypatch.setenv(KEY_VARIABLE, guarded.keys["read"])
        assert Client(url).models().champion == fleet.version
        with pytest.raises(AnswerError, match="needs the scope score"):
            Client(url).score([CALM])
        assert Client(url, key=guarded.keys["score"]).score([CALM])
        monkeypatch.delenv(KEY_VARIABLE)
        with pytest.raises(AnswerError, match="401"):
            Client(url).models()


def test_it_waits_until_the_service_is_ready(settings_at: Callable[..., Settings], url: str) -> None:
    """A service without a model is not ready; one that nobody serves cannot be reached; a ready one is at once."""
    Client(url).wait_ready()
    with served(create_app(settings_at())) as empty, Client(empty) as client:
        assert not client.ready()
        with pytest.raises(AnswerError, match="no model yet"):
            client.wait_ready(timeout=0)
    with pytest.raises(UnreachableError, match="cannot reach"):
        Client(empty, retries=0).wait_ready(timeout=0)


def test_an_address_with_a_password_is_refused() -> None:
    """Addresses end up in messages and logs; a password in one would, too."""
    with pytest.raises(ValueError, match="password"):
        Client("https://ada:secret@wharfinger.example")


def test_sending_nothing_is_nothing(wharfinger: Client) -> None:
    """Without records no request is made, and nothing was sent."""
    assert wharfinger.send_events([]).total == 0
    assert wharfinger.score() == []


def test_records_may_be_json_already(settings_at: Callable[..., Settings]) -> None:
    """Text is sent as it is, so that who has JSON need not decode it."""
    lines = [json.dumps(record).encode() for record in telemetry()[:5]]
    with served(create_app(settings_at())) as url, Client(url) as client:
        assert client.send_events(lines).accepted == 5
