"""Snapshots of `docker inspect`: what a container was configured with, and which addresses it held since when."""

from collections.abc import Mapping
from typing import Any

from features.configuration import docker_tokens
from features.fields import address_or_none, mapping, moment, strings, text
from features.identity import docker_workload
from features.images import image_columns
from features.protocols import Record, RecordError, Row

_NEVER = "0001-"  # Go's zero time
_ADDRESSES = ("IPAddress", "GlobalIPv6Address")


class DockerInspect:
    """One object of `docker inspect`, bare or within `{"observed_at", "host", "inspect"}`."""

    name = "docker_inspect"

    def recognises(self, record: Record) -> bool:
        """Say from the keys whether this is a snapshot of a container or of an image."""
        if "inspect" in record:
            return "observed_at" in record or "host" in record
        if "HostConfig" in record:
            return "Config" in record
        return "RootFS" in record or ("RepoTags" in record and "Architecture" in record)

    def parse(self, record: Record, host: str | None) -> list[Row]:
        """Turn one snapshot into one row."""
        enveloped = "inspect" in record
        inspect = mapping(record["inspect"], "inspect") if enveloped else record
        host = (text(record.get("host"), "host") if enveloped else None) or host
        row = _image(inspect) if "HostConfig" not in inspect else _container(inspect, host)
        observed = record.get("observed_at") if enveloped else None
        row["ts"] = moment(observed, "observed_at") if observed else row.pop("since")
        row.pop("since", None)
        return [row | {"action": "inspect", "host": host}]


def _container(inspect: Mapping[str, Any], host: str | None) -> Row:
    identity = text(inspect.get("Id"), "Id")
    if not identity:
        raise RecordError("Id is missing")
    config = mapping(inspect.get("Config"), "Config")
    name = (text(inspect.get("Name"), "Name") or "").lstrip("/") or None
    image = text(config.get("Image"), "Config.Image")
    labels = {k: v for k, v in mapping(config.get("Labels"), "Config.Labels").items() if isinstance(v, str)}
    since = _since(inspect)
    row: Row = {
        "kind": "config",
        "since": since,
        "container_id": identity,
        "container_name": name,
        "workload": docker_workload(host, name, image, labels),
        **image_columns(image),
        "addresses": _addresses(inspect),
        "valid_from": since,
        "config": docker_tokens(inspect),
        "record_id": f"{identity} {since}",
    }
    if digest := text(inspect.get("Image"), "Image"):
        row["image_digest"] = digest
    return row


def _since(inspect: Mapping[str, Any]) -> int:
    started = text(mapping(inspect.get("State"), "State").get("StartedAt"), "State.StartedAt")
    if started and not started.startswith(_NEVER):
        return moment(started, "State.StartedAt")
    return moment(inspect.get("Created"), "Created")


def _addresses(inspect: Mapping[str, Any]) -> list[str]:
    settings = mapping(inspect.get("NetworkSettings"), "NetworkSettings")
    networks = mapping(settings.get("Networks"), "Networks").values()
    found = [address_or_none(place.get(key)) for place in (settings, *map(_network, networks)) for key in _ADDRESSES]
    return sorted({address for address in found if address})


def _network(value: object) -> Mapping[str, Any]:
    return mapping(value, "Networks")


def _image(inspect: Mapping[str, Any]) -> Row:
    identity = text(inspect.get("Id"), "Id")
    if not identity:
        raise RecordError("Id is missing")
    tags = strings(inspect.get("RepoTags"), "RepoTags")
    return {
        "kind": "image",
        "since": moment(inspect.get("Created"), "Created"),
        **image_columns(tags[0] if tags else None),
        "image_digest": identity,
        "name": ",".join(strings(inspect.get("RepoDigests"), "RepoDigests")) or None,
        "record_id": identity,
    }


source = DockerInspect()
