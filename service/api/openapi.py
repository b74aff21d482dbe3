"""The OpenAPI 3.1 document, made from the declared operations and their types."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from service.access.sessions import COOKIE
from service.api import conditional, repeats
from service.api.operations import COMMON, GUARDED, Operation
from service.api.problems import MEDIA_TYPE
from service.api.schemas import Refused
from service.api.schemas.problems import Problem

_RULE_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_REF = "#/components/schemas/{name}"
_MEANINGS = {
    400: "The request is not well-formed.",
    401: "The request shows no key, or none that is accepted.",
    403: "The key does not have the scope, or the request comes from another web site.",
    404: "There is no such thing.",
    405: "The path does not take this method.",
    409: "The state of the thing does not allow it.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "The request is well-formed, but a value in it is not acceptable.",
    429: "The key has asked too often.",
    500: "The service made an error.",
    503: "The service cannot answer now.",
}


_HEADERS = {
    401: ("WWW-Authenticate", "string"),
    405: ("Allow", "string"),
    429: ("Retry-After", "integer"),
    503: ("Retry-After", "integer"),
}
_SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key with the scope, or a token of the identity provider that the settings name. "
        "Without any key the service listens on loopback alone and asks for none.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "What the dashboard's log-in sets. Changing calls need its form token as `X-Form-Token` too.",
    },
}


def document(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """Build the document.

    Parameters
    ----------
    operations
        Every endpoint, in the order in which they are to be shown.
    version
        Version of the service.
    """
    operations = list(operations)
    mentioned = [kind for one in operations for kind in (one.answer, one.body, one.error)]
    types = [Problem, Refused, *(kind for kind in mentioned if isinstance(kind, type) and kind is not dict)]
    queries = [one.query for one in operations if one.query]
    _, schemas = msgspec.json.schema_components([*types, *queries], ref_template=_REF)
    _spell_pairs(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        path = _RULE_VARIABLE.sub(r"{\1}", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, schemas)
    for query in queries:
        schemas.pop(query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wharfinger",
            "version": version,
            "description": "Anomaly scores of container workloads, explained. Rank by `bits`. "
            "Times are RFC 3339 in UTC.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES},
    }


def _spell_pairs(node: Any) -> None:  # noqa: ANN401 -- JSON
    """Describe tuples of one type by `items`, in place: not every reader of the document knows `prefixItems`."""
    if isinstance(node, dict):
        prefix = node.get("prefixItems")
        if isinstance(prefix, list) and all(one == prefix[0] for one in prefix):
            del node["prefixItems"]
            node["items"] = prefix[0]
        for part in node.values():
            _spell_pairs(part)
    elif isinstance(node, list):
        for part in node:
            _spell_pairs(part)


def _operation(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.name,
        "tags": [one.tag],
        "summary": one.summary,
        "parameters": [*_path_parameters(one.path), *_query_parameters(one, schemas), *_header_parameters(one)],
        "responses": _responses(one),
    }
    if one.scope is None:
        found["security"] = []
    else:  # OpenAPI 3.1 lets any scheme name the roles that are needed
        found["security"] = [{name: [one.scope]} for name in _SCHEMES]
    if one.deprecated_since:
        found["deprecated"] = True
    if told := " ".join(filter(None, (_outlook(one), one.description))):
        found["description"] = told
    for parameter in found["parameters"]:
        if parameter["name"] in one.examples:
            parameter["example"] = one.examples[parameter["name"]]
    content = {"application/json": {"schema": _reference(one.body)}} if one.body else one.content
    if content:
        found["requestBody"] = {"required": True, "content": content}
        if "body" in one.examples:
            content = {**content, "application/json": {**content["application/json"], "example": one.examples["body"]}}
            found["requestBody"]["content"] = content
    return found


def _outlook(one: Operation) -> str:
    since = f"Deprecated since {one.deprecated_since:%Y-%m-%d}." if one.deprecated_since else ""
    return f"{since} Goes away on {one.sunset:%Y-%m-%d}." if one.sunset else since


def _header_parameters(one: Operation) -> list[Mapping[str, Any]]:
    conditions = [conditional.PARAMETER] if one.conditional else []
    return [*one.headers, *([repeats.PARAMETER] if one.idempotent else []), *conditions]


def _path_parameters(rule: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _RULE_VARIABLE.findall(rule)
    ]


def _query_parameters(one: Operation, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    found = []
    for name, schema in schemas[one.query.__name__]["properties"].items():
        shown = {key: value for key, value in schema.items() if key not in ("description", "default")}
        if "anyOf" in shown:  # a parameter that is left out is absent, never null
            (shown,) = [option for option in shown["anyOf"] if option.get("type") != "null"]
        if schema.get("default") is not None:
            shown = {**shown, "default": schema["default"]}
        found.append({"name": name, "in": "query", "required": False, "schema": shown})
        if description := schema.get("description") or shown.pop("description", None):
            found[-1]["description"] = description
    return found


def _responses(one: Operation) -> dict[str, Any]:
    if isinstance(one.answer, str):
        media, schema = one.answer.partition(";")[0], {"type": "string"}
    else:
        media, schema = "application/json", _reference(one.answer)
    headers = {name: _header("string") for name in (*one.lifecycle, *(("ETag",) if one.conditional else ()))}
    found: dict[str, Any] = {"200": {"description": "Done.", "content": {media: {"schema": schema}}}}
    if headers:
        found["200"]["headers"] = headers
    if one.conditional:
        found["304"] = {"description": "The caller has the current answer.", "headers": headers}
    for status in sorted({*COMMON, *(GUARDED if one.scope else ()), *one.problems}):
        found[str(status)] = {
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE if one.error is Problem else "application/json": {"schema": _reference(one.error)}},
        }
        if header := _HEADERS.get(status):
            found[str(status)]["headers"] = {header[0]: _header(header[1])}
    return found


def _header(kind: str) -> dict[str, Any]:
    return {"required": True, "schema": {"type": kind}}


def _reference(kind: Any) -> dict[str, str]:  # noqa: ANN401 -- a type
    if kind is dict:
        return {"type": "object"}
    return {"$ref": _REF.format(name=kind.__name__)}
