"""Google Cloud's audit log of GKE, written back as the Kubernetes audit events it was made from."""

import re
from itertools import pairwise

from features.fields import items, mapping, text
from features.protocols import Record, RecordError

_METHOD = re.compile(r"io\.k8s\.(?:.+\.)?v\d\w*\.(.+)\.(\w+)")
_PERMISSION_DENIED = 7  # google.rpc.Code


def kubernetes_event(entry: Record) -> Record:
    """Turn one log entry into a Kubernetes audit event.

    Raises
    ------
    RecordError
        If the entry is of another service, or not as Google writes it.
    """
    payload = mapping(entry.get("protoPayload"), "protoPayload")
    method = _METHOD.fullmatch(text(payload.get("methodName"), "methodName") or "")
    if method is None:
        raise RecordError("audit log entry of Google Cloud, of no Kubernetes API")
    resource, _, subresource = method[1].partition(".")
    checks = [
        mapping(check, "authorizationInfo") for check in items(payload.get("authorizationInfo"), "authorizationInfo")
    ]
    path = text(payload.get("resourceName"), "resourceName") or ""
    places = dict(pairwise(path.split("/")))
    caller = mapping(payload.get("requestMetadata"), "requestMetadata")
    refused = mapping(payload.get("status"), "status").get("code") == _PERMISSION_DENIED
    allowed = not refused and all(check.get("granted") is not False for check in checks)
    return {
        "auditID": entry.get("insertId"),
        "verb": method[2],
        "user": {"username": mapping(payload.get("authenticationInfo"), "authenticationInfo").get("principalEmail")},
        "sourceIPs": [caller.get("callerIp", caller.get("callerIP"))],  # exports differ in the spelling
        "userAgent": caller.get("callerSuppliedUserAgent"),
        "objectRef": {
            "resource": resource,
            "subresource": subresource or None,
            "namespace": places.get("namespaces"),
            "name": places.get(resource),
        },
        "requestURI": f"/{path}",
        "requestObject": payload.get("request"),
        "responseObject": payload.get("response"),
        "responseStatus": {"code": 403} if refused else {},
        "annotations": {"authorization.k8s.io/decision": "allow" if allowed else "forbid"},
        "requestReceivedTimestamp": entry.get("timestamp") or payload.get("timestamp"),
    }
