"""The OpenAPI document against the service itself, with generated requests."""

from pathlib import Path

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from service.api.documentation import build

ROOT = Path(__file__).resolve().parents[3]
# Accepting all that the schema allows is not promised: cursors are opaque, window starts are whole windows. OPTIONS and
# HEAD are answered everywhere.
UNPROMISED = [positive_data_acceptance, unsupported_method]


@pytest.fixture
def contract(app: Flask) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_wsgi("/v1/openapi.json", app)


schema = schemathesis.pytest.from_fixture("contract")


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_request_is_answered_as_documented(case: schemathesis.Case) -> None:
    """Whatever is sent, the answer has a documented status, type and shape, and is never a 5xx."""
    case.call_and_validate(excluded_checks=UNPROMISED)


def test_the_document_is_valid() -> None:
    """The document is OpenAPI 3.1 by the validator's judgement, and names every operation once."""
    document = build()
    validate(document)
    assert document["openapi"].startswith("3.1")
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


def test_every_route_is_documented(app: Flask) -> None:
    """No endpoint under /v1 is missing from the document."""
    documented = {(method.upper(), path) for path, methods in build()["paths"].items() for method in methods}
    served = {
        (method, rule.rule.replace("<path:", "{").replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule.startswith("/v1/") and method not in ("HEAD", "OPTIONS")
    }
    assert served <= documented


def test_the_page_of_the_api_is_current() -> None:
    """docs/api.md lists every operation of the document."""
    text = (ROOT / "docs/api.md").read_text("utf-8")
    for path, methods in build()["paths"].items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in text
