import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from features.events import frame
from features.ingest import read_events
from features.protocols import RecordError
from features.sources.docker_events import source

NANO = 1795488158699439577
ID = "c16f350149a649ee2a53df76edb8be9e894f8475d74a0a8c8511655626dff2be"


def event(action: str, kind: str = "container", actor: str = ID, **attributes: str) -> dict[str, Any]:
    attributes = {"image": "registry.example:5000/shop/web:1.4", "name": "atom1", **attributes}
    return {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": actor, "Attributes": attributes},
        "time": NANO // 10**9,
        "timeNano": NANO,
    }


def row(record: dict[str, Any], host: str | None = "n1") -> dict[str, Any]:
    (parsed,) = source.parse(record, host)
    return frame([parsed]).row(0, named=True)


@pytest.mark.parametrize(
    ("record", "action", "image"),
    [
        (
            {"status": "create", "id": "dfdf82bd3881", "from": "base:latest", "time": 1374067924},
            "create",
            "base:latest",
        ),
        (
            {
                "action": "start",
                "type": "container",
                "actor": {"id": "57", "attributes": {"image": "busybox"}},
                "time": 1442421716,
                "timeNano": 1442421716983607193,
            },
            "start",
            "busybox",
        ),
        (
            {
                "Action": "die",
                "Actor": {"Attributes": {"image": "busybox"}, "ID": "57"},
                "Type": "container",
                "from": "busybox",
                "id": "57",
                "status": "die",
                "time": 1459133932,
                "timeNano": 1459133932961735842,
            },
            "die",
            "busybox",
        ),
    ],
    ids=["status and id", "lower case", "capitals"],
)
def test_three_historic_spellings_are_read(record: dict[str, Any], action: str, image: str) -> None:
    """An event of any version of the engine names its action, its container and its image."""
    assert source.recognises(record)
    parsed = row(record)
    assert (parsed["kind"], parsed["action"], parsed["image"]) == ("lifecycle", action, image)
    assert parsed["container_id"]


def test_nanoseconds_win_over_seconds() -> None:
    """`timeNano` is the finer one of the two times that stand beside each other."""
    assert row(event("start"))["ts"] == datetime(2026, 11, 24, 2, 42, 38, 699439, UTC)
    assert row({**event("start"), "timeNano": 0})["ts"] == datetime(2026, 11, 24, 2, 42, 38, tzinfo=UTC)


@pytest.mark.parametrize(
    ("action", "kind", "verb", "command"),
    [
        ("exec_create: sh -c echo a: b; exit 3", "exec", "exec_create", "sh -c echo a: b; exit 3"),
        ("exec_start: sh -c echo a: b; exit 3", "exec", "exec_start", "sh -c echo a: b; exit 3"),
        ("exec_die", "exec", "exec_die", None),
        ("attach", "exec", "attach", None),
        ("extract-to-dir", "exec", "extract-to-dir", None),
        ("archive-path", "exec", "archive-path", None),
        ("health_status: healthy", "lifecycle", "health_status", None),
        ("top", "lifecycle", "top", None),
        ("oom", "lifecycle", "oom", None),
    ],
)
def test_container_actions(action: str, kind: str, verb: str, command: str | None) -> None:
    """The command of an exec stands after the first colon of the action, and nowhere else."""
    parsed = row(event(action))
    assert (parsed["kind"], parsed["action"], parsed["command"]) == (kind, verb, command)


def test_workload_comes_from_compose_labels() -> None:
    """Labels stand among the attributes and name the workload, whatever the container is called."""
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "api"}
    assert row(event("start", **labels))["workload"] == "docker:shop/api"
    assert row(event("start"))["workload"] == "docker:n1/atom1"


def test_exit_code_rename_and_host() -> None:
    """The exit code is a status, the former name of a renamed container its name; the record's own host wins."""
    assert row(event("die", exitCode="137"))["status"] == 137
    assert row(event("rename", oldName="/atom1", name="k8s_POD_x"))["name"] == "atom1"
    assert row({**event("die"), "host": "n7"})["host"] == "n7"


def test_pull_names_its_image_by_reference() -> None:
    """A pull's id is the whole reference, with tag; its name lacks the tag."""
    reference = "hub-mirror.corp.lab:5011/library/debian:12"
    parsed = row(event("pull", "image", reference, name="hub-mirror.corp.lab:5011/library/debian", image=""))
    assert parsed["kind"] == "pull"
    assert (parsed["image"], parsed["image_tag"]) == (reference, "12")
    assert parsed["container_id"] is None


def test_tag_names_image_and_digest() -> None:
    """A tag's id is the image, its name the reference given to it."""
    parsed = row(event("tag", "image", "sha256:ba63", name="atom/committed:1"))
    assert (parsed["kind"], parsed["image"], parsed["image_digest"]) == ("image", "atom/committed:1", "sha256:ba63")


def test_network_connection_names_container_and_network() -> None:
    """A network event's own id is the network; the container stands in its attributes."""
    record = event("connect", "network", "1ebc", container=ID, name="lab-app", type="bridge")
    parsed = row(record)
    assert (parsed["kind"], parsed["action"]) == ("lifecycle", "network_connect")
    assert (parsed["container_id"], parsed["name"]) == (ID, "lab-app")


def test_other_types_keep_their_type_in_the_action() -> None:
    """Volumes, plugins and the daemon itself are told apart from containers."""
    assert row(event("mount", "volume", "v", container=ID))["action"] == "volume_mount"
    assert row(event("reload", "daemon", "d"))["action"] == "daemon_reload"


def test_events_at_the_same_time_have_identities_of_their_own(samples: Path) -> None:
    """Each real event of the sample, one of every action, has an id of its own."""
    (batch,) = read_events([samples / "docker_events.jsonl"])
    lines = (samples / "docker_events.jsonl").read_text().splitlines()
    assert batch.events["event_id"].n_unique() == len(lines)
    assert {json.loads(line)["Action"] for line in lines} > {"create", "start", "die", "oom"}


def test_event_without_time_or_action_is_refused() -> None:
    """An event that says not when or not what cannot be placed."""
    for key in ("time", "Action"):
        record = event("start")
        record.pop("timeNano")
        record[key] = None
        with pytest.raises(RecordError, match="missing"):
            source.parse(record, None)
