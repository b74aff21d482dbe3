"""The OpenAPI document and a page that renders it, which work without any other site."""

from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, render_template
from markupsafe import Markup, escape

from service.api import (
    ads,
    audit,
    changes,
    coverage,
    events,
    health,
    incidents,
    inference,
    mlflow,
    models,
    scores,
    verdicts,
    workloads,
)
from service.api.openapi import document
from service.api.operations import Resource
from service.outputs.notices import product_version

resource = Resource("documentation")
RESOURCES = (
    events.resource,
    scores.resource,
    incidents.resource,
    verdicts.resource,
    changes.resource,
    workloads.resource,
    coverage.resource,
    models.resource,
    ads.resource,
    audit.resource,
    inference.resource,
    mlflow.resource,
    health.resource,
    resource,
)
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
pages = Blueprint("documentation", __name__, template_folder="templates")


@resource.operation("GET", "/v1/openapi.json", scope="read", answer=dict)
def get_openapi() -> dict[str, Any]:
    """Give this document."""
    return current_document()


@pages.app_template_filter("code")
def mark_code(text: str) -> Markup:
    """Turn what stands between backticks into code elements."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in enumerate(parts)
    )


@pages.app_template_filter("pretty")
def lay_out(value: Any) -> str:  # noqa: ANN401 -- JSON
    """Write JSON for people."""
    return "" if value is None else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


@pages.get("/docs")
def docs() -> Response:
    """Show the document as a page, on which requests can be tried; no other page has a script."""
    response = Response(render_template("docs.html", spec=current_document(), example=example))
    response.headers["Content-Security-Policy"] = f"{CONTENT_POLICY}; script-src 'self'; connect-src 'self'"
    return response


def current_document() -> dict[str, Any]:
    """Give the document of this application, built once."""
    found: dict[str, Any] = current_app.extensions.setdefault("wharfinger.openapi", None) or build()
    current_app.extensions["wharfinger.openapi"] = found
    return found


def build() -> dict[str, Any]:
    """Build the document of every resource."""
    return document([one for each in RESOURCES for one in each.operations], product_version())


def example(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Render what a schema looks like: names and types, with references followed once."""
    return msgspec.json.format(msgspec.json.encode(_shape(schema, schemas, ())), indent=2).decode()


def _shape(schema: dict[str, Any], schemas: dict[str, Any], seen: tuple[str, ...]) -> Any:  # noqa: ANN401 -- JSON
    found: Any
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        found = f"<{name}>" if name in seen else _shape(schemas[name], schemas, (*seen, name))
    elif options := schema.get("anyOf"):
        shapes = [_shape(option, schemas, seen) for option in options]
        found = " or ".join(dict.fromkeys(shapes)) if all(isinstance(one, str) for one in shapes) else shapes[0]
    elif "enum" in schema:
        found = " | ".join(map(str, schema["enum"]))
    else:
        found = _plain_shape(schema, schemas, seen)
    return found


def _plain_shape(schema: dict[str, Any], schemas: dict[str, Any], seen: tuple[str, ...]) -> Any:  # noqa: ANN401 -- JSON
    if properties := schema.get("properties"):
        return {name: _shape(part, schemas, seen) for name, part in properties.items()}
    if schema.get("type") == "array":
        return [_shape(schema.get("items", {}), schemas, seen)]
    if isinstance(extra := schema.get("additionalProperties"), dict):
        return {"<name>": _shape(extra, schemas, seen)}
    return schema.get("format") or schema.get("type", "any")
