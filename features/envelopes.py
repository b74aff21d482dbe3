"""Envelopes that carry records of a source within another document.

Only envelopes that a platform writes itself are opened. The text that a container printed, such as the `log` of a
Docker json-file line, is never read as a record: whoever runs in the container would write the evidence.
"""

from collections.abc import Iterator
from typing import Any

from features.documents import Malformed, decode_line
from features.protocols import Record

# registry notifications; Kubernetes lists; Azure Event Hub; CloudTrail-like files; CloudWatch subscriptions
_LISTS = ("events", "items", "records", "Records", "logEvents")
# collectors that put the record under one key: Splunk HEC, Graylog, Fluent Bit with a parser, labelled test sets
_OBJECTS = ("event", "log", "message", "objectpayload")


def unwrap(record: Record) -> Iterator[Record | Malformed] | None:
    """Open an envelope; none if the record is not one."""
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
