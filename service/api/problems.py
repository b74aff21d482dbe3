"""Errors as RFC 9457 problem details, for everything that can go wrong in a request."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec
import sqlalchemy as sa
import structlog
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from service.api.schemas.problems import Fault, Problem

_log = structlog.get_logger("wharfinger.http")
MEDIA_TYPE = "application/problem+json"
Form = Callable[[Problem], msgspec.Struct]
_FORMS = "wharfinger.problems"
_RETRY_AFTER = "5"  # seconds, where nothing more is known


class ProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, problem: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers or {}


def problem(status: int, detail: str, *, kind: str | None = None, errors: list[Fault] | None = None) -> Problem:
    """Describe a problem.

    Parameters
    ----------
    status
        HTTP status.
    detail
        What is wrong with this request and what to do.
    kind
        Name of the kind of problem, where the status alone does not tell a program enough.
    errors
        Single faults.
    """
    name = "about:blank" if kind is None else f"urn:wharfinger:problem:{kind}"
    return Problem(title=HTTPStatus(status).phrase, status=status, type=name, detail=detail, errors=errors or [])


def refuse(status: int, detail: str, *, kind: str | None = None, errors: list[Fault] | None = None) -> ProblemError:
    """Make the exception that ends the request with such a problem."""
    return ProblemError(problem(status, detail, kind=kind, errors=errors))


def answer(found: Problem, headers: dict[str, str] | None = None) -> Response:
    """Turn a problem into a response, in the form that what lies below its path has for errors."""
    forms: Mapping[str, Form] = current_app.extensions[_FORMS]
    own = next((form for place, form in forms.items() if f"{request.path}/".startswith(f"{place}/")), None)
    response = Response(msgspec.json.encode(own(found) if own else found), found.status, headers)
    response.content_type = "application/json" if own else MEDIA_TYPE
    if found.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers.setdefault("Retry-After", _RETRY_AFTER)
    return response


def _on_problem(error: ProblemError) -> Response:
    return answer(error.problem, error.headers)


def _on_http(error: HTTPException) -> Response:
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return Response(error.get_response().get_data(), error.code, dict(error.get_headers()))
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    return answer(problem(error.code, error.description or ""), headers)


def _on_bug(error: Exception) -> Response:
    _log.error("request failed", exc_info=error)
    return answer(problem(500, "The service made an error; its log has the details."))


def _on_database(error: sa.exc.OperationalError | sa.exc.TimeoutError) -> Response:
    _log.error("database failed", reason=str(getattr(error, "orig", error)).partition("\n")[0])
    told = problem(503, "The database cannot be used now; send the request again.", kind="unavailable")
    return answer(told, {"Retry-After": _RETRY_AFTER})


def register(app: Flask, forms: Mapping[str, Form]) -> None:
    """Answer every error of `app` with a problem, or below a path in the form that its protocol has."""
    app.extensions[_FORMS] = forms
    app.register_error_handler(ProblemError, _on_problem)
    app.register_error_handler(HTTPException, _on_http)
    app.register_error_handler(sa.exc.OperationalError, _on_database)
    app.register_error_handler(sa.exc.TimeoutError, _on_database)
    app.register_error_handler(Exception, _on_bug)
