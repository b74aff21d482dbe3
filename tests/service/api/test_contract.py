"""The OpenAPI document against the service itself, with generated requests."""

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)

from service.api.documentation import build
from service.app import create_app
from service.settings import Settings
from tests.homes import copy_home

ROOT = Path(__file__).resolve().parents[3]
# Accepting all that the schema allows is not promised: cursors are opaque, window starts are whole windows. OPTIONS and
# HEAD are answered everywhere. Without any key everybody is answered; test_scopes.py asks with keys.
UNPROMISED = [positive_data_acceptance, unsupported_method, ignored_auth]


@pytest.fixture(scope="module")
def app(fleet: Any, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application over a copy of the fleet's home: what generated requests change is theirs alone."""
    folder = tmp_path_factory.mktemp("generated") / "home"
    copy_home(fleet.settings.home, folder)
    return create_app(Settings.load(folder, {"WHARFINGER_MODEL_POLL_SECONDS": "0"}))


def _cases() -> list[tuple[str, str, GenerationMode]]:
    """Every operation with good requests, and those that take a query or a body with bad ones too."""
    found = []
    for path, methods in build()["paths"].items():
        for method, one in methods.items():
            found.append((method.upper(), path, GenerationMode.POSITIVE))
            if "requestBody" in one or any(parameter["in"] == "query" for parameter in one["parameters"]):
                found.append((method.upper(), path, GenerationMode.NEGATIVE))
    return found


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.parametrize(("method", "path", "mode"), _cases())
def test_any_request_is_answered_as_documented(app: Flask, method: str, path: str, mode: GenerationMode) -> None:
    """Whatever is sent, the answer has a documented status, type and shape, and is never a 5xx."""
    operation = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)[path][method]

    # One bad item of a request is refused beside its good ones, with 200.
    excluded = [*UNPROMISED, negative_data_rejection] if path == "/v1/scores" and method == "POST" else UNPROMISED

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(excluded_checks=excluded)

    check()


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
