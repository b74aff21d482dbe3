"""Docker Engine events, in the three spellings its API has had."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from features.docker_shapes import INTO_CONTAINER, NAMING_LABELS, SHAPES
from features.fields import mapping, moment, text, whole
from features.identity import docker_workload
from features.images import image_columns
from features.protocols import Record, RecordError, Row
from features.shapes import Shape

_LARGEST_NANO = 2**63 - 1


class DockerEvents:
    """Engine events: life of containers and images, commands run in them, their networks and volumes."""

    name = "docker_events"
    shapes: Sequence[Shape] = SHAPES
    tables: Mapping[str, Shape] = MappingProxyType({})

    def recognises(self, record: Record) -> bool:
        """Say from the keys whether this is an event of the engine."""
        if "Action" in record:
            return "Type" in record and "Actor" in record
        if "target" in record or "@timestamp" in record:
            return False
        if "action" in record:
            return "actor" in record and "type" in record and "time" in record
        return "status" in record and "id" in record and "time" in record

    def log_of(self, fields: Collection[str]) -> str | None:  # noqa: ARG002 - of the protocol
        """Tell a table by its fields: there are none of these events."""
        return None

    def parse(self, record: Record, host: str | None) -> list[Row]:
        """Turn one event into one row."""
        kind = text(record.get("Type", record.get("type")), "Type") or "container"
        action = text(record.get("Action", record.get("action", record.get("status"))), "Action")
        if action is None:
            raise RecordError("Action is missing")
        actor = mapping(record.get("Actor", record.get("actor")), "Actor")
        identity = text(actor.get("ID", actor.get("id", record.get("id"))), "Actor.ID") or ""
        attributes = mapping(actor.get("Attributes", actor.get("attributes")), "Actor.Attributes")
        ts, instant = _instant(record)
        verb, _, detail = action.partition(":")
        row: Row = {
            "ts": ts,
            "host": text(record.get("host"), "host") or host,
            "action": verb,
            "record_id": f"{instant} {action} {identity} {attributes.get('execID') or attributes.get('container', '')}",
        }
        if kind == "container":
            _container(row, verb, detail.strip(), identity, attributes, record)
        elif kind == "image":
            _image(row, verb, identity, attributes)
        else:
            row |= {"kind": "lifecycle", "action": f"{kind}_{verb}", "name": _attribute(attributes, "name") or identity}
            if container := _attribute(attributes, "container"):
                row["container_id"] = container
        return [row]


def _instant(record: Record) -> tuple[int, str]:
    nano = whole(record.get("timeNano"), "timeNano", _LARGEST_NANO)
    if nano:
        return moment(nano // 1000 / 1_000_000, "timeNano"), str(nano)
    seconds = record.get("time")
    return moment(seconds, "time"), str(seconds)


def _attribute(attributes: Mapping[str, Any], key: str) -> str | None:
    return text(attributes.get(key), f"Actor.Attributes.{key}")


def _container(row: Row, verb: str, detail: str, identity: str, attributes: Mapping[str, Any], record: Record) -> None:
    name = _attribute(attributes, "name")
    image = _attribute(attributes, "image") or text(record.get("from"), "from")
    row["kind"] = "exec" if verb.startswith("exec_") or verb in INTO_CONTAINER else "lifecycle"
    if not identity:  # pruning names no container
        return
    labels = tuple((key, value) for key in NAMING_LABELS if isinstance(value := attributes.get(key), str))
    row["container_id"] = identity
    row["container_name"] = name
    row["workload"] = _workload(row["host"], name, image, labels)
    row |= _reference(image)
    if verb.startswith("exec_"):
        row["command"] = detail or None
    if verb == "rename":
        row["name"] = (_attribute(attributes, "oldName") or "").lstrip("/") or None
    if verb == "health_status":
        row["rule"] = detail or None
    if "exitCode" in attributes:
        row["status"] = whole(attributes["exitCode"], "Actor.Attributes.exitCode", 2**31 - 1)


# a host has few containers and images, and says their names in every event
@lru_cache(maxsize=8192)
def _workload(host: str | None, name: str | None, image: str | None, labels: tuple[tuple[str, str], ...]) -> str:
    return docker_workload(host, name, image, dict(labels))


_reference = lru_cache(maxsize=8192)(image_columns)


def _image(row: Row, verb: str, identity: str, attributes: Mapping[str, Any]) -> None:
    row["kind"] = "pull" if verb == "pull" else "image"
    # a pull carries the whole reference as its id; a tag carries the image id, and the reference as name
    named = _attribute(attributes, "name")
    reference = named if identity.startswith("sha256:") and named else identity or named
    row |= _reference(reference)
    if identity.startswith("sha256:"):
        row["image_digest"] = identity


source = DockerEvents()
