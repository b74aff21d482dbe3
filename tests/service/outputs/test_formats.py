"""OCSF and ECS documents against what is published of them."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from service.outputs.formats import encode
from service.outputs.notices import Judgement, Notice
from tests.service.outputs.conftest import HOSTILE, make_notice

EXPECTED = Judgement(id="verdict-1", verdict="expected", by="alice", note="the new payment provider")
NOTICES = {
    "opened": make_notice(),
    "bare": make_notice(hosts=[], link="", text=HOSTILE),
    "raised": make_notice(event="raised", sequence=2, severity="critical", hosts=["a", "b"]),
    "judged": make_notice(event="judged", sequence=3, open=False, judgement=EXPECTED),
    "closed": make_notice(event="closed", sequence=4, open=False),
    "test": make_notice(event="test"),
}
# Field reference of the Elastic Common Schema 8: https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html
ECS_FIELDS = {
    "@timestamp": "date",
    "ecs.version": "keyword",
    "event.action": "keyword",
    "event.category": "keyword[]",
    "event.created": "date",
    "event.dataset": "keyword",
    "event.end": "date",
    "event.id": "keyword",
    "event.kind": "keyword",
    "event.module": "keyword",
    "event.provider": "keyword",
    "event.reason": "keyword",
    "event.risk_score": "float",
    "event.sequence": "long",
    "event.severity": "long",
    "event.start": "date",
    "event.type": "keyword[]",
    "event.url": "keyword",
    "host.name": "keyword",
    "labels.alert": "keyword",
    "labels.workload": "keyword",
    "message": "text",
    "observer.product": "keyword",
    "observer.type": "keyword",
    "observer.vendor": "keyword",
    "observer.version": "keyword",
    "related.hosts": "keyword[]",
    "rule.category": "keyword",
    "rule.name": "keyword",
    "rule.ruleset": "keyword",
    "rule.version": "keyword",
    "service.name": "keyword",
    "service.type": "keyword",
    "tags": "keyword[]",
    "threat.framework": "keyword",
    "threat.technique.id": "keyword[]",
    "threat.technique.reference": "keyword[]",
    "threat.technique.subtechnique.id": "keyword[]",
    "threat.technique.subtechnique.reference": "keyword[]",
}
ECS_KINDS = {"alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"}
# Types that the category intrusion_detection allows: allowed, denied, info.
ECS_TYPES = {"allowed", "denied", "info"}


def document(notice: Notice, form: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(notice, form))  # type: ignore[arg-type]  # one of the formats
    return found


@pytest.fixture(scope="module", params=["1.5.0", "1.8.0"])
def detection_finding(request: pytest.FixtureRequest) -> Draft202012Validator:
    """The published class Detection Finding as JSON Schema, which knows no attribute that is not declared."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=request.param))
    return Draft202012Validator(schema.get_class_schema(schema.lookup_class_name_from_uid(2004)))


@pytest.mark.parametrize("name", NOTICES)
def test_ocsf_is_a_detection_finding(detection_finding: Draft202012Validator, name: str) -> None:
    """Every message is valid against the published schema, of the version it names and of a later one."""
    assert not [error.message for error in detection_finding.iter_errors(document(NOTICES[name], "ocsf"))]


def test_schema_refuses_what_is_wrong(detection_finding: Draft202012Validator) -> None:
    """The schema that the other test relies on does find a mistake."""
    wrong = document(NOTICES["opened"], "ocsf") | {"severity_id": 7, "host": "x"}
    del wrong["finding_info"]

    assert len(list(detection_finding.iter_errors(wrong))) == 3


@pytest.mark.parametrize(
    ("name", "activity", "status"),
    [("opened", 1, "New"), ("raised", 2, "In Progress"), ("judged", 2, "Suppressed"), ("closed", 3, "Resolved")],
)
def test_ocsf_tells_the_life_of_a_finding(name: str, activity: int, status: str) -> None:
    """Messages of one alert are the activities of one finding, in the words of OCSF."""
    told = document(NOTICES[name], "ocsf")

    assert told["finding_info"]["uid"] == "2026-09-14T09:10:00Z/docker:shop/api"
    assert (told["activity_id"], told["type_uid"], told["status"]) == (activity, 200400 + activity, status)
    assert [attack["technique"]["uid"] for attack in told["finding_info"]["attacks"]] == ["T1571", "T1071"]
    assert told["finding_info"]["attacks"][1]["sub_technique"]["uid"] == "T1071.001"
    assert told["start_time"] == 1_789_377_000_000


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Flatten a document to its fields."""
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key, part in value.items() for k, v in leaves(part, f"{path}.{key}".lstrip(".")).items()}


def fits(value: Any, kind: str) -> bool:
    """Say whether a value is of a type of the field reference."""
    if kind.endswith("[]"):
        return isinstance(value, list) and all(fits(one, kind[:-2]) for one in value)
    if kind == "date":
        return datetime.fromisoformat(value).tzinfo is not None
    return {
        "keyword": isinstance(value, str) and 0 < len(value) <= 1024,
        "text": isinstance(value, str),
        "long": type(value) is int,
        "float": type(value) in (int, float),
    }[kind]


@pytest.mark.parametrize("name", NOTICES)
def test_ecs_has_only_published_fields(name: str) -> None:
    """Every field of a message is one that ECS 8 has, of the type that it has there."""
    told = leaves(document(NOTICES[name], "ecs"))

    assert not [field for field, value in told.items() if not fits(value, ECS_FIELDS[field])]
    assert told["event.kind"] in ECS_KINDS
    assert set(told["event.type"]) <= ECS_TYPES
    assert told["event.category"] == ["intrusion_detection"]


@settings(max_examples=50)
@given(text=st.text(max_size=3_000), form=st.sampled_from(["wharfinger", "ocsf", "ecs"]))
def test_document_is_one_line(text: str, form: str) -> None:
    """Whatever the words are, a message is one line of JSON, and the same message has the same bytes."""
    first, second = (encode(make_notice(text=text, why=text), form) for _ in range(2))  # type: ignore[arg-type]

    assert first == second
    assert b"\n" not in first
    assert json.loads(first)
