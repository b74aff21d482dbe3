"""Envelopes that carry records of a source within another document.

Only envelopes that a platform writes itself are opened. The text that a container printed, such as the `log` of a
Docker json-file line, is never read as a record: whoever runs in the container would write the evidence.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

from features.documents import Malformed, decode_line
from features.protocols import Record

# registry notifications; Kubernetes lists; Azure Event Hub; CloudTrail-like files; CloudWatch subscriptions
_LISTS = ("events", "items", "records", "Records", "logEvents")
# collectors that put the record under one key: Splunk HEC, Panther
_OBJECTS = ("event",)


def unwrap(record: Record) -> Iterator[Record | Malformed] | None:
    """Open an envelope; none if the record is not one."""
    if isinstance(payload := record.get("protoPayload"), dict) and "methodName" in payload:
        return _google(record, payload)
    for key in _LISTS:
        if isinstance(value := record.get(key), list):
            return _elements(key, value)
    properties = record.get("properties")
    if isinstance(properties, dict):
        if isinstance(properties.get("log"), str):  # AKS: a JSON document inside a JSON string
            return _decoded("properties.log", properties["log"])
        if isinstance(properties.get("log"), dict):
            return iter([properties["log"]])
    for key in _OBJECTS:
        if isinstance(value := record.get(key), dict):
            return iter([value])
    if "timestamp" in record and isinstance(record.get("message"), str) and "id" in record:  # one CloudWatch log event
        return _decoded("message", record["message"])
    if isinstance(record.get("@message"), str):
        return _decoded("@message", record["@message"])
    return None


def _elements(key: str, value: list[Any]) -> Iterator[Record | Malformed]:
    for element in value:
        yield (
            element
            if isinstance(element, dict)
            else Malformed(f"element of {key} is not an object", str(element)[:200])
        )


def _decoded(key: str, value: str) -> Iterator[Record | Malformed]:
    inner = decode_line(value.encode("utf-8", "replace"))
    yield Malformed(f"{key} holds no JSON object", value[:200]) if inner is None else inner


_GOOGLE_METHOD = re.compile(r"io\.k8s\.(?:.+\.)?v\d\w*\.(.+)\.(\w+)")
_GOOGLE_REFUSED = 7  # google.rpc.Code.PERMISSION_DENIED


def _google(entry: Record, payload: dict[str, Any]) -> Iterator[Record | Malformed]:
    """Write an entry of Google Cloud's audit log of GKE as the audit event it was made from."""
    method = _GOOGLE_METHOD.fullmatch(str(payload["methodName"]))
    if method is None:
        yield Malformed("audit log entry of Google Cloud, of no Kubernetes API", str(payload["methodName"])[:200])
        return
    resource, _, subresource = method[1].partition(".")
    path = str(payload.get("resourceName") or "").split("/")
    places = dict(itertools.pairwise(path))
    caller, status = payload.get("requestMetadata"), payload.get("status")
    caller, status = caller if isinstance(caller, dict) else {}, status if isinstance(status, dict) else {}
    who = payload.get("authenticationInfo")
    granted = [a.get("granted") for a in payload.get("authorizationInfo") or [] if isinstance(a, dict)]
    refused = status.get("code") == _GOOGLE_REFUSED
    yield {
        "auditID": entry.get("insertId"),
        "verb": method[2],
        "user": {"username": who.get("principalEmail") if isinstance(who, dict) else None},
        "sourceIPs": [caller["callerIp"]] if caller.get("callerIp") else [],
        "userAgent": caller.get("callerSuppliedUserAgent"),
        "objectRef": {
            "resource": resource,
            "subresource": subresource or None,
            "namespace": places.get("namespaces"),
            "name": places.get(resource),
        },
        "requestURI": f"/{payload.get('resourceName') or ''}",
        "requestObject": payload.get("request") if isinstance(payload.get("request"), dict) else None,
        "responseObject": payload.get("response") if isinstance(payload.get("response"), dict) else None,
        "responseStatus": {"code": 403} if refused else {},
        "annotations": {"authorization.k8s.io/decision": "allow" if all(granted) and not refused else "forbid"},
        "requestReceivedTimestamp": entry.get("timestamp") or payload.get("timestamp"),
    }
