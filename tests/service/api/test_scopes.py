"""Every operation opens to exactly the scope that it declares."""

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from service.access.callers import SCOPES, Scope
from service.api.documentation import RESOURCES
from service.api.operations import Operation

OPERATIONS = [one for resource in RESOURCES for one in resource.operations]
HEALTH = {"/healthz", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"}
ADAPTERS = ("inference", "mlflow")
FORMS = {"inference": "application/json"}  # of errors, where a protocol has its own
NAMED = pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)


def path_of(one: Operation) -> str:
    return re.sub(r"<[^>]+>", "none", one.path)


@NAMED
def test_each_operation_opens_to_its_scope_alone(guarded: Any, one: Operation) -> None:
    """With the declared scope an operation answers; any other scope is 403 that names the missing one, none is 401."""
    statuses = {scope: guarded.ask(one.method, path_of(one), scope).status_code for scope in SCOPES}
    nobody = guarded.ask(one.method, path_of(one))

    if one.scope is None:
        assert {*statuses.values(), nobody.status_code} == {200}
        return
    refused = {scope for scope, status in statuses.items() if status == 403}
    assert refused == set(SCOPES) - {one.scope}
    assert statuses[one.scope] not in (401, 429, 500)
    assert (nobody.status_code, nobody.content_type) == (401, FORMS.get(one.tag, "application/problem+json"))
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    other = guarded.ask(one.method, path_of(one), next(iter(refused)))
    assert f"the scope {one.scope}" in other.json["error" if one.tag in FORMS else "detail"]
    assert f'scope="{one.scope}"' in other.headers["WWW-Authenticate"]


def test_refusals_tell_nothing(guarded: Any) -> None:
    """Without the scope what there is and what there is not are refused alike, whatever tag or key is shown."""
    incident = guarded.ask("GET", "/v1/incidents", "read").json["incidents"][0]["id"]
    tag = guarded.ask("GET", f"/v1/incidents/{incident}", "read").headers["ETag"]
    for scope in ("score", "ingest", "operate", "admin"):
        there = guarded.ask("GET", f"/v1/incidents/{incident}", scope, headers={"If-None-Match": tag})
        nowhere = guarded.ask("GET", "/v1/incidents/none", scope)
        assert (there.status_code, there.data) == (nowhere.status_code, nowhere.data) == (403, there.data)
        assert "ETag" not in there.headers
    body = {"workload": "docker:shop/*", "until": "2099-01-01T00:00:00Z", "by": "ci", "fields": ["Memory"]}
    keyed = {"Idempotency-Key": "secret"}
    assert guarded.ask("POST", "/v1/changes", "operate", json=body, headers=keyed).status_code == 200
    for scope in ("score", "ingest", "read", "admin"):
        assert guarded.ask("POST", "/v1/changes", scope, json=body, headers=keyed).status_code == 403


def test_only_health_needs_no_key() -> None:
    """No operation but health and readiness, by their names in each protocol, is open to everybody."""
    assert {one.path for one in OPERATIONS if one.scope is None} == HEALTH


def test_changing_operations_need_operate_or_more_and_are_audited() -> None:
    """Whatever changes what the service does needs `operate` or `admin`, and is audited."""
    for one in OPERATIONS:
        if one.method != "GET":
            assert one.scope in ("score", "ingest", "operate", "admin")
            assert one.audited == (one.scope in ("operate", "admin"))
        else:
            assert one.scope in (None, "read", "admin") or (one.tag in ADAPTERS and one.scope == "score")


def test_undeclared_routes_need_a_key(guarded: Any) -> None:
    """A route that nobody declared, such as a page, is closed too, and so is what does not exist."""
    with guarded.app.test_request_context():
        rules = [rule.rule for rule in guarded.app.url_map.iter_rules()]
    open_to_all = {rule for rule in rules if guarded.ask("GET", re.sub(r"<[^>]+>", "x", rule)).status_code < 300}

    assert open_to_all == HEALTH | {"/login"}
    assert guarded.ask("GET", "/v1/nothing").status_code == 401
    assert guarded.ask("GET", "/v1/nothing", "score").status_code == 404
    assert guarded.ask("DELETE", "/v1/scores").status_code == 401


@pytest.mark.slow
@pytest.mark.parametrize("one", [one for one in OPERATIONS if one.scope], ids=lambda one: one.name)
def test_generated_requests_are_answered_as_documented_to_a_key(guarded: Any, one: Operation) -> None:
    """With the scope any request gets a documented answer; with a wrong key or none the same request is refused."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", one.path)
    reader = {"headers": {"Authorization": f"Bearer {guarded.keys['read']}"}}
    found = schemathesis.openapi.from_wsgi("/v1/openapi.json", guarded.app, **reader)[path][one.method]
    scope: Scope = one.scope  # type: ignore[assignment]

    @given(case=found.as_strategy())
    @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        answer = case.call_and_validate(
            headers={"Authorization": f"Bearer {guarded.keys[scope]}"},
            excluded_checks=[positive_data_acceptance, unsupported_method],
        )
        assert answer.status_code not in (401, 403)

    check()
