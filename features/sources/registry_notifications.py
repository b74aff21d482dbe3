"""Notifications of an OCI registry (distribution): what the registry itself saw of pulls and pushes."""

from features.fields import address_or_none, mapping, moment, text
from features.images import image_columns
from features.protocols import Record, RecordError, Row

_ACTIONS = {"pull": "registry_pull"}


class RegistryNotifications:
    """One event of a notification envelope."""

    name = "registry_notifications"

    def recognises(self, record: Record) -> bool:
        """Say from the keys whether this is one event of a registry."""
        return "action" in record and "target" in record and "timestamp" in record

    def parse(self, record: Record, host: str | None) -> list[Row]:
        """Turn one event into one row."""
        action = text(record.get("action"), "action")
        target = mapping(record.get("target"), "target")
        request = mapping(record.get("request"), "request")
        repository = text(target.get("repository"), "target.repository")
        if not action or not repository:
            raise RecordError("action or target.repository is missing")
        registry, tag = text(request.get("host"), "request.host"), text(target.get("tag"), "target.tag")
        digest = text(target.get("digest"), "target.digest")
        reference = f"{registry}/{repository}" if registry else repository
        ts = moment(record.get("timestamp"), "timestamp")
        return [
            {
                "ts": ts,
                "kind": "image",
                "action": _ACTIONS.get(action, action),
                "host": host,
                "actor": text(mapping(record.get("actor"), "actor").get("name"), "actor.name"),
                **image_columns(f"{reference}:{tag}" if tag else reference),
                "image_registry": registry,
                "image_repository": repository,
                "image_digest": digest,
                "src_ip": _without_port(text(request.get("addr"), "request.addr")),
                "method": text(request.get("method"), "request.method"),
                "user_agent": text(request.get("useragent"), "request.useragent"),
                "record_id": text(record.get("id"), "id") or f"{action} {reference} {digest}",
            }
        ]


def _without_port(place: str | None) -> str | None:
    if place and place.count(":") == 1:
        place = place.partition(":")[0]
    return address_or_none(place)


source = RegistryNotifications()
