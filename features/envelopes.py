"""Envelopes that carry records of a source within another document.

Only envelopes that a platform writes itself are opened. The text that a container printed, such as the `log` of a
Docker json-file line, is never read as a record: whoever runs in the container would write the evidence.
"""

from collections.abc import Iterator
from typing import Any

from features.documents import Malformed, decode_line
from features.google_audit import kubernetes_event
from features.protocols import Record

# registry notifications; Kubernetes lists; Azure Event Hub; CloudTrail-like files; CloudWatch subscriptions
_LISTS = ("events", "items", "records", "Records", "logEvents")
# collectors that put the record under one key: Splunk HEC, Panther
_OBJECTS = ("event",)


def unwrap(record: Record) -> Iterator[Record | Malformed] | None:
    """Open an envelope; none if the record is not one.

    Raises
    ------
    RecordError
        If it is one and its content is not as its platform writes it.
    """
    if "protoPayload" in record:
        return iter([kubernetes_event(record)])
    for key in _LISTS:
        if isinstance(value := record.get(key), list):
            return _elements(key, value)
    for key in _OBJECTS:
        if isinstance(value := record.get(key), dict):
            return iter([value])
    return _from_text(record)


def _from_text(record: Record) -> Iterator[Record | Malformed] | None:
    properties = record.get("properties")
    for key, value in (
        ("properties.log", properties.get("log") if isinstance(properties, dict) else None),  # AKS
        ("message", record.get("message") if "timestamp" in record and "id" in record else None),  # CloudWatch
        ("@message", record.get("@message")),  # CloudWatch Logs Insights
    ):
        if isinstance(value, str):
            inner = decode_line(value.encode("utf-8", "replace"))
            return iter([Malformed(f"{key} holds no JSON object", value[:200]) if inner is None else inner])
    return None


def _elements(key: str, value: list[Any]) -> Iterator[Record | Malformed]:
    for element in value:
        yield (
            element
            if isinstance(element, dict)
            else Malformed(f"element of {key} is not an object", str(element)[:200])
        )
