"""Declares endpoints once, for Flask and for the OpenAPI document alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Blueprint, Response

View = Callable[..., Any]
COMMON = (400, 404, 405, 500)  # what any path can answer


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One endpoint.

    Parameters
    ----------
    path
        Flask rule; its converters become OpenAPI path parameters.
    name, summary, description, tag
        For the document. The description is the docstring of the view.
    answer
        Type of a 200 answer, or its media type where it is not JSON.
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
    answer: Any
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    content: Mapping[str, Any] | None = None
    headers: tuple[Mapping[str, Any], ...] = ()
    problems: tuple[int, ...] = ()


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
        answer: Any,  # noqa: ANN401 -- a type expression
        query: type[msgspec.Struct] | None = None,
        body: type[msgspec.Struct] | None = None,
        content: Mapping[str, Any] | None = None,
        headers: tuple[Mapping[str, Any], ...] = (),
        problems: tuple[int, ...] = (),
    ) -> Callable[[View], View]:
        """Register a view; what it returns is encoded as JSON unless it is a response already.

        Parameters
        ----------
        answer
            See `Operation`.
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
                answer=answer,
                query=query,
                body=body,
                content=content,
                headers=headers,
                problems=problems,
            )
            self.operations.append(declared)

            def respond(**arguments: str) -> Response:
                found = view(**arguments)
                if isinstance(found, Response):
                    return found
                return Response(msgspec.json.encode(found), content_type="application/json")

            self.blueprint.add_url_rule(path, view.__name__, respond, methods=[method])
            return view

        return register
