"""What every operation is declared with, and what follows from it."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.http import parse_date

from service.api import problems
from service.api.conditional import conditional
from service.api.documentation import RESOURCES, build
from service.api.openapi import document
from service.api.operations import NOTICE, Operation, Resource

OPERATIONS = [one for resource in RESOURCES for one in resource.operations]
TAGGED = [one for one in OPERATIONS if one.conditional]
SINCE = datetime(2026, 9, 14, 12, tzinfo=UTC)


class Thing(msgspec.Struct):
    """An answer."""

    name: str


def address(one: Operation, filled: dict[str, str]) -> str:
    """Give the address that the examples make."""
    examples = {**one.examples, **filled}
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: quote(str(examples[found[1]]), safe=""), one.path)
    names = () if one.query is None else [field.encode_name for field in msgspec.structs.fields(one.query)]
    query = "&".join(f"{name}={quote(str(examples[name]), safe='')}" for name in names if name in examples)
    return f"{path}?{query}" if query else path


@pytest.fixture
def filled(guarded: Any) -> dict[str, str]:
    """Names of things that a test makes, since no example can know them."""
    told = {"by": "ada"}
    change = told | {"workload": "docker:shop/*", "until": "2099-01-01T00:00:00Z", "fields": ["Memory"]}
    incident = guarded.ask("GET", "/v1/incidents", "read").json["incidents"][0]["id"]
    verdict = guarded.ask("POST", f"/v1/incidents/{incident}/verdict", "operate", json=told | {"verdict": "unsure"})
    return {
        "version": guarded.ask("GET", "/v1/models", "read").json["champion"],
        "change": guarded.ask("POST", "/v1/changes", "operate", json=change).json["id"],
        "verdict": verdict.json["id"],
    }


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_examples_are_answered(guarded: Any, filled: dict[str, str], one: Operation) -> None:
    """What the document gives as an example is accepted; whatever takes a body or names a thing has one."""
    body = {"json": one.examples["body"]} if one.body or one.content else {}

    answer = guarded.ask(one.method, address(one, filled), one.scope, **body)

    assert answer.status_code == 200, answer.text
    if answer.is_json and isinstance(answer.json.get("scores"), list):
        assert answer.json["scores"]


@pytest.mark.parametrize("one", TAGGED, ids=lambda one: one.name)
def test_who_has_the_answer_is_spared_it(guarded: Any, filled: dict[str, str], one: Operation) -> None:
    """An answer's tag brings 304 without a body for as long as it is the same; any other tag brings the answer."""
    path = address(one, filled)
    first = guarded.ask("GET", path, one.scope)
    tag = first.headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
    assert first.headers["Cache-Control"] == "private, no-cache"

    for shown in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = guarded.ask("GET", path, one.scope, headers={"If-None-Match": shown})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == tag
        assert "Content-Type" not in again.headers

    for shown in ('"other"', "other", ""):
        again = guarded.ask("GET", path, one.scope, headers={"If-None-Match": shown})
        assert (again.status_code, again.data) == (200, first.data)
    assert guarded.ask("GET", path, headers={"If-None-Match": tag}).status_code == 401


def test_every_answer_about_a_thing_is_tagged() -> None:
    """All GET operations with JSON are, but for health, which is of the moment; the document says so."""
    assert {one.name for one in OPERATIONS if one.method == "GET"} - {one.name for one in TAGGED} == {
        "get_health",
        "get_readiness",
        "get_metrics",
        "get_server_liveness",
        "get_server_readiness",
        "ping",
        "get_version",
    }
    for path in build()["paths"].values():
        for one in path.values():
            assert ("304" in one["responses"]) == (one["operationId"] in {each.name for each in TAGGED})


@given(one=st.binary(max_size=50), other=st.binary(max_size=50))
def test_tags_differ_where_bodies_do(one: bytes, other: bytes) -> None:
    """Two answers have the same tag if and only if they are the same."""
    app = Flask(__name__)
    with app.test_request_context():
        tags = [conditional(app.response_class(body)).headers["ETag"] for body in (one, other)]

    assert (tags[0] == tags[1]) == (one == other)


@pytest.fixture
def ageing() -> Resource:
    """A resource that only this test has, with an operation that goes."""
    resource = Resource("ageing")

    @resource.operation(
        "GET", "/v1/old/<name>", scope="read", answer=Thing, deprecated_since=SINCE, sunset=SINCE + NOTICE
    )
    def get_old(name: str) -> Thing:
        """Give a thing."""
        if name == "none":
            raise problems.refuse(404, "There is none.")
        return Thing(name)

    @resource.operation("GET", "/v1/new/<name>", scope="read", answer=Thing)
    def get_new(name: str) -> Thing:
        """Give a thing in the better way."""
        return Thing(name)

    return resource


def test_a_deprecated_operation_says_so(ageing: Resource) -> None:
    """Every answer of it, errors and 304 included, says since when, until when and where to read; no other does."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 2**20
    problems.register(app, {})
    app.register_blueprint(ageing.blueprint)
    client: FlaskClient = app.test_client()
    first = client.get("/v1/old/a")

    for answer in (
        first,
        client.get("/v1/old/none"),
        client.get("/v1/old/a", headers={"If-None-Match": first.headers["ETag"]}),
    ):
        assert answer.headers["Deprecation"] == f"@{int(SINCE.timestamp())}"
        assert parse_date(answer.headers["Sunset"]) == SINCE + NOTICE
        assert answer.headers["Link"] == '</docs#get_old>; rel="deprecation"; type="text/html"'
    assert {"Deprecation", "Sunset", "Link"}.isdisjoint(dict(client.get("/v1/new/a").headers))

    paths = document(ageing.operations, "1")["paths"]
    old, new = paths["/v1/old/{name}"]["get"], paths["/v1/new/{name}"]["get"]
    assert old["deprecated"] is True
    assert old["description"].startswith("Deprecated since 2026-09-14. Goes away on 2027-03-13.")
    assert old["responses"]["200"]["headers"].keys() == {"Deprecation", "Sunset", "Link", "ETag"}
    assert "deprecated" not in new


@pytest.mark.parametrize(
    "dates", [{"sunset": SINCE}, {"deprecated_since": SINCE, "sunset": SINCE + NOTICE - timedelta(seconds=1)}]
)
def test_nothing_goes_without_notice(dates: dict[str, datetime]) -> None:
    """An operation cannot be declared to go that was not deprecated for half a year."""
    resource = Resource("hasty")
    with pytest.raises(ValueError, match="180 days"):
        resource.operation("GET", "/v1/x", scope="read", answer=Thing, **dates)(lambda: Thing("x"))


def test_no_operation_is_deprecated() -> None:
    """The first version has nothing that goes."""
    assert not [one.name for one in OPERATIONS if one.lifecycle]


IDEMPOTENT = [one for one in OPERATIONS if one.idempotent]


def test_whatever_keeps_something_new_takes_a_key() -> None:
    """Sent twice, a request to intake, for a change or for a verdict would else be there twice."""
    assert {one.name for one in IDEMPOTENT} == {"add_events", "announce_change", "give_a_verdict"}


@pytest.mark.parametrize("one", IDEMPOTENT, ids=lambda one: one.name)
def test_a_repeated_request_does_nothing(guarded: Any, filled: dict[str, str], one: Operation) -> None:
    """Under its key a request gets the first answer again; another body, or a key with no form, is refused."""
    path, body = address(one, filled), one.examples["body"]
    other = [body, body] if one.name == "add_events" else body | {"by": "eve"}
    keyed = {"Idempotency-Key": f"once-{one.name}"}

    first, again = (guarded.ask("POST", path, one.scope, json=body, headers=keyed) for _ in range(2))
    reused = guarded.ask("POST", path, one.scope, json=other, headers=keyed)
    formless = guarded.ask("POST", path, one.scope, json=body, headers={"Idempotency-Key": "a b"})

    assert (first.status_code, again.data) == (200, first.data)
    assert (reused.status_code, reused.json["type"]) == (422, "urn:wharfinger:problem:reused-key")
    assert formless.status_code == 422
    if one.name != "add_events":
        assert guarded.ask("POST", path, one.scope, json=body).json["id"] != first.json["id"]


def test_keys_of_callers_are_apart(guarded: Any) -> None:
    """One caller learns nothing from another's keys, and what is refused under a key is not remembered."""
    body = {"workload": "docker:shop/*", "until": "2099-01-01T00:00:00Z", "by": "ci", "fields": ["Memory"]}
    _, second = guarded.home.keys.create("second", ["operate"], now=datetime.now(UTC))
    keyed = {"Idempotency-Key": "shared"}
    assert guarded.ask("POST", "/v1/changes", "operate", json=body | {"fields": []}, headers=keyed).status_code == 422

    mine = guarded.ask("POST", "/v1/changes", "operate", json=body, headers=keyed)
    theirs = guarded.ask("POST", "/v1/changes", json=body, headers=keyed | {"Authorization": f"Bearer {second}"})

    assert (mine.status_code, theirs.status_code) == (200, 200)
    assert mine.json["id"] != theirs.json["id"]
