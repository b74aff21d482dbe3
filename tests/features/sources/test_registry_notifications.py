import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.events import frame
from features.ingest import events_from_records
from features.protocols import RecordError
from features.sources.registry_notifications import source


def test_pull_names_image_digest_and_who_asked(samples: Path) -> None:
    """A real notification gives the reference as the registry knows it and the client's address without its port."""
    record = json.loads((samples / "registry_notifications.json").read_text())
    (parsed,) = events_from_records([record], ref="x").events.rows(named=True)
    assert (parsed["kind"], parsed["action"]) == ("image", "registry_pull")
    assert parsed["ts"] == datetime(2016, 3, 9, 22, 44, 26, 402_973, UTC)
    assert parsed["image"] == "192.168.100.227:5000/hello-world:latest"
    assert (parsed["image_registry"], parsed["image_repository"]) == ("192.168.100.227:5000", "hello-world")
    assert parsed["image_digest"].startswith("sha256:fea8895f")
    assert (parsed["src_ip"], parsed["user_agent"]) == ("192.168.64.11", "curl/7.38.0")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("[2001:db8::1]:33432", "2001:db8::1"), ("10.0.0.1:80", "10.0.0.1"), ("10.0.0.1", "10.0.0.1"), ("", None)],
)
def test_client_address_is_without_port(address: str, expected: str | None) -> None:
    """IPv4 and IPv6 clients are named by address alone."""
    record = {
        "id": "e1",
        "action": "push",
        "timestamp": "2026-09-14T09:20:00Z",
        "target": {"repository": "shop/web"},
        "request": {"addr": address, "host": "registry"},
        "actor": {"name": "ci"},
    }
    (row,) = source.parse(record, None)
    parsed = frame([row]).row(0, named=True)
    assert parsed["src_ip"] == expected
    assert (parsed["action"], parsed["actor"], parsed["record_id"]) == ("push", "ci", "e1")
    assert (parsed["image_registry"], parsed["image_repository"]) == ("registry", "shop/web")


def test_placeholders_and_status_documents_are_set_aside() -> None:
    """An elided example and a registry's own status are no events, and are said to be none."""
    batch = events_from_records([{"events": ["..."]}, {"notifications": {"endpoints": []}}], ref="x")
    assert batch.events.is_empty()
    assert [reject.line for reject in batch.rejects] == [1, 2]


def test_event_of_no_repository_is_refused() -> None:
    """An event that names no repository says nothing about an image."""
    with pytest.raises(RecordError, match="repository"):
        source.parse({"action": "pull", "target": {}, "timestamp": "2026-09-14T09:20:00Z"}, None)
