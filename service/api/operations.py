"""Declares endpoints once, for Flask and for the OpenAPI document alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypedDict, Unpack

import msgspec
from flask import Blueprint, Response, current_app, request
from werkzeug.http import http_date

from service.access.callers import Scope
from service.api.conditional import conditional
from service.api.repeats import KEY, answered_once
from service.api.schemas.problems import Problem

View = Callable[..., Any]
COMMON = (400, 404, 405, 500)  # what any path can answer
GUARDED = (401, 403, 429, 503)  # what a path that needs a scope can answer besides
SMALL = 256 * 2**10
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
NOTICE = timedelta(days=180)  # that an operation is deprecated for at least before it goes


class Details(TypedDict, total=False):
    """What need not be said of every operation; see `Operation`."""

    query: type[msgspec.Struct]
    body: type[msgspec.Struct]
    content: Mapping[str, Any]
    headers: tuple[Mapping[str, Any], ...]
    largest: int | None
    problems: tuple[int, ...]
    examples: Mapping[str, Any]
    idempotent: bool
    deprecated_since: datetime
    sunset: datetime


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
    error
        Type of every other answer.
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
    examples
        Values by the name of the parameter; that of `body` is a JSON body.
    idempotent
        Whether an `Idempotency-Key` makes a repeated request harmless.
    deprecated_since, sunset
        Since when nobody should begin to use it, and when it goes.

    Raises
    ------
    ValueError
        If it is to go without having been deprecated for as long as `NOTICE`.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str
    scope: Scope | None
    answer: Any
    error: Any = Problem
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    content: Mapping[str, Any] | None = None
    headers: tuple[Mapping[str, Any], ...] = ()
    largest: int | None = SMALL
    problems: tuple[int, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    idempotent: bool = False
    deprecated_since: datetime | None = None
    sunset: datetime | None = None

    def __post_init__(self) -> None:
        if self.sunset and (self.deprecated_since is None or self.sunset < self.deprecated_since + NOTICE):
            raise ValueError(f"{self.name} must be deprecated for {NOTICE.days} days before it goes")

    @property
    def endpoint(self) -> str:
        """Flask's name for it."""
        return f"api_{self.tag}.{self.name}"

    @property
    def audited(self) -> bool:
        """Whether it changes what the service does; to score keeps nothing, and telemetry is what others did."""
        return self.method not in SAFE_METHODS and self.scope in ("operate", "admin")

    @property
    def conditional(self) -> bool:
        """Whether its answers carry an entity tag: those that describe a thing, and not the moment."""
        return self.method == "GET" and self.scope is not None and not isinstance(self.answer, str)

    @property
    def lifecycle(self) -> dict[str, str]:
        """Headers that say that it goes: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""
        found = {}
        if self.deprecated_since:
            found = {
                "Deprecation": f"@{self.deprecated_since.astimezone(UTC).timestamp():.0f}",
                "Link": f'</docs#{self.name}>; rel="deprecation"; type="text/html"',
            }
        if self.sunset:
            found["Sunset"] = http_date(self.sunset)
        return found


class ErrorForm(Protocol):
    """A type of errors that a protocol has in place of problem details."""

    @classmethod
    def of(cls, problem: Problem, /) -> msgspec.Struct:
        """Tell a problem in this form."""


class Resource:
    """A blueprint that remembers its operations.

    Parameters
    ----------
    error, below
        Form of errors, for whatever is asked below a path, where a protocol has one of its own.
    """

    def __init__(self, name: str, *, error: type[ErrorForm] | None = None, below: str = "") -> None:
        self.name, self.error, self.below = name, error, below
        self.blueprint = Blueprint(f"api_{name}", __name__)
        self.blueprint.after_request(self._announce)
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        scope: Scope | None,
        answer: Any,  # noqa: ANN401 -- a type expression
        **details: Unpack[Details],
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
                error=self.error or Problem,
                **details,
            )
            self.operations.append(declared)
            self.blueprint.add_url_rule(path, view.__name__, partial(_respond, declared, view), methods=[method])
            return view

        return register

    def _announce(self, response: Response) -> Response:
        """Say on every answer of a deprecated operation, errors included, that it is one."""
        for one in self.operations:
            if one.endpoint == request.endpoint:
                response.headers.update(one.lifecycle)
        return response


def _respond(declared: Operation, view: View, **arguments: str) -> Response:
    if declared.largest is not None:
        request.max_content_length = min(declared.largest, current_app.config["MAX_CONTENT_LENGTH"])
    if declared.idempotent and KEY in request.headers:
        return answered_once(lambda: msgspec.json.encode(view(**arguments)))
    found = view(**arguments)
    if isinstance(found, Response):
        return found
    response = Response(msgspec.json.encode(found), content_type="application/json")
    return conditional(response) if declared.conditional else response
