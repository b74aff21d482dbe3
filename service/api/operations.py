"""Declares endpoints once, for Flask and for the OpenAPI document alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, request

from service.access.callers import Scope

View = Callable[..., Any]
COMMON = (400, 404, 405, 500)  # what any path can answer
GUARDED = (401, 403, 429, 503)  # what a path that needs a scope can answer besides
SMALL = 256 * 2**10
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One endpoint.

    Parameters
    ----------
    path
        Flask rule; its converters become OpenAPI path parameters.
    name, summary, description, tag
        For the document. The description is the docstring of the view.
    scope
        What a caller must be allowed to; None where nobody is asked.
    answer
        Type of a 200 answer, or its media type where it is not JSON.
    largest
        Bytes that a body may have; None for as many as the settings allow.
    query, body
        Structs of the query string and of the JSON body.
    content
        Schemas of the body by media type, where it is not such a struct.
    headers
        Header parameters, as OpenAPI writes them.
    problems
        Statuses answered with a problem, beside those any path can answer.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str
    scope: Scope | None
    answer: Any
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    content: Mapping[str, Any] | None = None
    headers: tuple[Mapping[str, Any], ...] = ()
    largest: int | None = SMALL
    problems: tuple[int, ...] = ()

    @property
    def endpoint(self) -> str:
        """Flask's name for it."""
        return f"api_{self.tag}.{self.name}"

    @property
    def audited(self) -> bool:
        """Whether it changes what the service does; to score keeps nothing, and telemetry is what others did."""
        return self.method not in SAFE_METHODS and self.scope in ("operate", "admin")


class Resource:
    """A blueprint that remembers its operations."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blueprint = Blueprint(f"api_{name}", __name__)
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        scope: Scope | None,
        answer: Any,  # noqa: ANN401 -- a type expression
        query: type[msgspec.Struct] | None = None,
        body: type[msgspec.Struct] | None = None,
        content: Mapping[str, Any] | None = None,
        headers: tuple[Mapping[str, Any], ...] = (),
        largest: int | None = SMALL,
        problems: tuple[int, ...] = (),
    ) -> Callable[[View], View]:
        """Register a view; what it returns is encoded as JSON unless it is a response already.

        Parameters
        ----------
        scope
            See `Operation`, for all of them.
        """

        def register(view: View) -> View:
            summary, _, rest = (view.__doc__ or "").partition("\n")
            declared = Operation(
                method=method,
                path=path,
                name=view.__name__,
                tag=self.name,
                summary=summary.strip(),
                description=" ".join(rest.split()),
                scope=scope,
                answer=answer,
                query=query,
                body=body,
                content=content,
                headers=headers,
                largest=largest,
                problems=problems,
            )
            self.operations.append(declared)

            def respond(**arguments: str) -> Response:
                if largest is not None:
                    request.max_content_length = min(largest, current_app.config["MAX_CONTENT_LENGTH"])
                found = view(**arguments)
                if isinstance(found, Response):
                    return found
                return Response(msgspec.json.encode(found), content_type="application/json")

            self.blueprint.add_url_rule(path, view.__name__, respond, methods=[method])
            return view

        return register
