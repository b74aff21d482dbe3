"""Kubernetes audit events: who asked the API server for what, and what the objects in them tell of pods."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from features.configuration import words
from features.fields import address_or_none, items, mapping, moment, strings, text, whole
from features.identity import kubernetes_workload
from features.images import image_columns
from features.kubernetes_objects import (
    TEMPLATES,
    config_rows,
    object_name,
    pod_addresses,
    pod_workload,
    request_tokens,
)
from features.protocols import Record, Row

_SESSIONS = frozenset({"exec", "attach", "portforward"})
_WRITES = frozenset({"create", "update", "patch"})
_DECISION = "authorization.k8s.io/decision"
# the time of the request is the same in each stage of it, so that the stages of one request are one event
_TIMES = ("requestReceivedTimestamp", "stageTimestamp", "timestamp")
_LARGEST_STATUS = 2**31 - 1


class KubernetesAudit:
    """Events of `audit.k8s.io`, of every version and level."""

    name = "kubernetes_audit"

    def recognises(self, record: Record) -> bool:
        """Say from the keys whether this is an audit event of a Kubernetes API server."""
        if "auditID" in record or "sourceIPs" in record:
            return "verb" in record or "requestURI" in record or "user" in record
        return "verb" in record and ("user" in record or "objectRef" in record)

    def parse(self, record: Record, host: str | None) -> list[Row]:
        """Turn one event into an `audit` row and rows for what its objects tell."""
        if record.get("stage") == "RequestReceived":
            return []
        request = _Request(record)
        base: Row = {
            "ts": moment(next((record[key] for key in _TIMES if record.get(key)), None), _TIMES[0]),
            "host": host,
            "namespace": request.namespace,
            "actor": request.actor,
            "action": request.verb,
            "resource": request.what,
            "name": request.name,
            "status": whole(
                mapping(record.get("responseStatus"), "responseStatus").get("code"), "code", _LARGEST_STATUS
            ),
            "src_ip": request.source,
            "user_agent": text(record.get("userAgent"), "userAgent"),
            "record_id": text(record.get("auditID"), "auditID") or f"{request.verb} {request.uri} {request.actor}",
        }
        annotations = mapping(record.get("annotations"), "annotations")
        audit = {
            "kind": "audit",
            "uri": request.uri,
            "rule": text(annotations.get(_DECISION), _DECISION),
            "command": request.command,
            "config": request.allows or None,
        }
        return [base | audit, *(base | row for row in _told(request, base["status"]))]


class _Request:
    """The parts of an audit event that say what was asked."""

    def __init__(self, record: Record) -> None:
        reference = mapping(record.get("objectRef"), "objectRef")
        self.verb = text(record.get("verb"), "verb")
        self.uri = text(record.get("requestURI"), "requestURI")
        self.resource = text(reference.get("resource"), "objectRef.resource")
        self.subresource = text(reference.get("subresource"), "objectRef.subresource")
        self.namespace = text(reference.get("namespace"), "objectRef.namespace")
        self.asked = _manifest(record.get("requestObject"))
        self.answered = _manifest(record.get("responseObject"))
        self.name = (
            text(reference.get("name"), "objectRef.name") or object_name(self.answered) or object_name(self.asked)
        )
        # some exports leave out who asked, and yet somebody did
        self.actor = f"k8s-actor:{_username(record, 'user') or 'unknown'}"
        self.impersonated = _username(record, "impersonatedUser")
        addresses = items(record.get("sourceIPs"), "sourceIPs")
        self.source = address_or_none(addresses[0]) if addresses else None

    @property
    def what(self) -> str | None:
        """Resource, with its subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def query(self) -> Mapping[str, list[str]]:
        """Parameters of a session: asked for by POST, or over a WebSocket by GET."""
        return parse_qs(urlsplit(self.uri).query, keep_blank_values=True) if self.uri else {}

    @property
    def command(self) -> str | None:
        """What a session runs; Google tells it of an object in place of the address."""
        if self.subresource not in _SESSIONS:
            return None
        return " ".join(self.query.get("command", [])) or words(self.asked.get("command"), "command") or None

    @property
    def allows(self) -> list[str]:
        """What the request would allow, as tokens."""
        told = [f"Impersonated={self.impersonated}"] if self.impersonated else []
        if self.verb in _WRITES and self.resource and self.subresource in {None, "ephemeralcontainers"}:
            told += request_tokens(self.resource, self.namespace or "default", self.asked or self.answered)
        return told

    @property
    def pod(self) -> str | None:
        """Identity of the pod acted on, as containers are identified."""
        return f"{self.namespace}/{self.name}" if self.namespace and self.name else None


def _username(record: Record, field: str) -> str | None:
    return text(mapping(record.get(field), field).get("username"), f"{field}.username")


def _manifest(value: object) -> Mapping[str, Any]:
    """Take an object; a JSON patch is a list and names nothing by itself."""
    return {} if isinstance(value, list) else mapping(value, "requestObject")


def _told(request: _Request, status: int | None) -> Iterator[Row]:
    if request.uri and "dryRun=" in request.uri:
        return
    # what was refused did not come to pass; a session or a configuration that was asked for is worth knowing even so
    rows = _asked_for(request)
    yield from (row for row in rows if row["kind"] != "lifecycle" or status is None or status < HTTPStatus.BAD_REQUEST)


def _asked_for(request: _Request) -> Iterator[Row]:
    if request.resource == "pods":
        yield from _pods(request)
    elif request.resource in TEMPLATES and request.subresource is None:
        yield from _configured(request)


def _pods(request: _Request) -> Iterator[Row]:
    if request.subresource in _SESSIONS:
        yield _session(request)
    elif request.subresource == "ephemeralcontainers":
        yield from _debugged(request)
    elif request.subresource == "binding" and request.verb == "create":
        node = text(mapping(request.asked.get("target"), "target").get("name"), "target.name")
        yield _life(request, "start") | ({"host": node} if node else {})
    elif request.subresource == "status":
        yield from _addressed(request)
    elif request.subresource is None and request.verb == "delete" and request.name:
        yield _life(request, "destroy")
    elif request.subresource is None:
        yield from _configured(request)


def _life(request: _Request, action: str) -> Row:
    return {"kind": "lifecycle", "action": action, "container_id": request.pod}


def _session(request: _Request) -> Row:
    """Exec, attach or port forwarding."""
    container = request.query.get("container", [None])[0] or text(request.asked.get("container"), "container")
    row: Row = {
        "kind": "exec",
        "action": request.subresource,
        "container_id": request.pod,
        "container_name": container,
        "command": request.command,
    }
    if container and request.namespace and request.name:
        row["workload"] = kubernetes_workload(request.namespace, request.name, container)
    return row


def _debugged(request: _Request) -> Iterator[Row]:
    spec = mapping(request.asked.get("spec"), "spec") or mapping(request.answered.get("spec"), "spec")
    entries = items(spec.get("ephemeralContainers"), "ephemeralContainers") or [{}]
    container = mapping(entries[-1], "ephemeralContainers")
    words = [*strings(container.get("command"), "command"), *strings(container.get("args"), "args")]
    row = {
        "kind": "exec",
        "action": "ephemeralcontainers",
        "container_id": request.pod,
        "command": " ".join(words) or None,
    }
    row["container_name"] = text(container.get("name"), "ephemeralContainers.name")
    yield row | image_columns(text(container.get("image"), "ephemeralContainers.image"))
    yield from _configured(request)


def _addressed(request: _Request) -> Iterator[Row]:
    if request.verb not in _WRITES or request.namespace is None or request.name is None:
        return
    pod = request.answered or request.asked
    if addresses := pod_addresses(pod) or pod_addresses(request.asked):
        workload = pod_workload(request.namespace, request.name, pod)
        yield _life(request, "address") | {"addresses": addresses, "workload": workload}


def _configured(request: _Request) -> Iterator[Row]:
    if request.verb not in _WRITES or request.resource is None:
        return
    # the answer holds the whole object, a patch only what it changes
    manifest = request.answered if "spec" in request.answered else request.asked
    if request.name and object_name(manifest) is None:
        manifest = {**manifest, "metadata": {**mapping(manifest.get("metadata"), "metadata"), "name": request.name}}
    yield from config_rows(request.resource, request.namespace or "default", manifest)


source = KubernetesAudit()
