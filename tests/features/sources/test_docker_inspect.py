import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.events import frame
from features.protocols import RecordError
from features.sources.docker_inspect import source


@pytest.fixture
def container(samples: Path) -> dict[str, Any]:
    """An inspect of a running container, as the engine writes it."""
    inspect: dict[str, Any] = json.loads((samples / "docker_inspect.jsonl").read_text().splitlines()[0])["inspect"]
    return inspect


def row(record: dict[str, Any], host: str | None = "n1") -> dict[str, Any]:
    (parsed,) = source.parse(record, host)
    return frame([parsed]).row(0, named=True)


def test_snapshot_names_container_workload_image_and_addresses(container: dict[str, Any]) -> None:
    """An enveloped snapshot stands at the time it was taken and holds its addresses since the container started."""
    parsed = row({"observed_at": "2026-11-24T02:42:38.5Z", "host": "n7", "inspect": container})
    assert (parsed["kind"], parsed["action"], parsed["host"]) == ("config", "inspect", "n7")
    assert (parsed["container_name"], parsed["workload"]) == ("small_hodgkin", "docker:n7/small_hodgkin")
    assert parsed["ts"] == datetime(2026, 11, 24, 2, 42, 38, 500_000, UTC)
    assert parsed["valid_from"] == datetime(2015, 11, 20, 21, 10, 34, 845_546, UTC)
    assert parsed["addresses"] == ["172.17.0.2"]
    assert parsed["image_digest"] == container["Image"]
    assert {"Cmd=cat", "Healthcheck=/bin/sh -c mysqladmin ping --silent"} <= set(parsed["config"])


def test_bare_snapshot_stands_at_the_start_of_its_container(container: dict[str, Any]) -> None:
    """Plain output of `docker inspect` says not when it was taken; the start of the container is sure."""
    assert row(container)["ts"] == row(container)["valid_from"]


def test_container_that_never_started_is_valid_from_its_creation(container: dict[str, Any]) -> None:
    """A refused start leaves the zero time; what was asked for is known since the creation."""
    refused = {**container, "State": {**container["State"], "Status": "created", "StartedAt": "0001-01-01T00:00:00Z"}}
    assert row(refused)["valid_from"] == datetime(2015, 11, 20, 21, 10, 34, 775_649, UTC)


def test_addresses_of_all_networks_and_families(container: dict[str, Any]) -> None:
    """Every address is leased, IPv6 in its canonical form; empty ones are none."""
    networks = {
        "a": {"IPAddress": "172.18.0.5", "GlobalIPv6Address": "2001:DB8:0::5"},
        "b": {"IPAddress": "", "GlobalIPv6Address": ""},
    }
    record = {**container, "NetworkSettings": {**container["NetworkSettings"], "Networks": networks}}
    assert row(record)["addresses"] == ["172.17.0.2", "172.18.0.5", "2001:db8::5"]


def test_values_of_environment_and_labels_are_nowhere(container: dict[str, Any]) -> None:
    """Secrets stand in values of variables and labels; no column holds them."""
    config = {**container["Config"], "Env": ["TOKEN=hunter2"], "Labels": {"key": "hunter2"}}
    assert "hunter2" not in str(row({**container, "Config": config}))


def test_image_snapshot_names_reference_and_digest(samples: Path) -> None:
    """An inspect of an image ties its tag to its id."""
    image = json.loads((samples / "docker_inspect.jsonl").read_text().splitlines()[2])
    parsed = row(image)
    assert (parsed["kind"], parsed["image"]) == ("image", "hackmann/empty:latest")
    assert parsed["image_digest"].startswith("sha256:ee45fe0d")


def test_snapshot_without_identity_is_refused(container: dict[str, Any]) -> None:
    """A snapshot of nothing nameable is no evidence."""
    with pytest.raises(RecordError, match="Id is missing"):
        source.parse({**container, "Id": None}, None)
