"""Logging in with a key, and out again."""

from datetime import UTC, datetime

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from service.access.callers import RefusedError
from service.access.keys import ApiKey
from service.access.sessions import COOKIE
from service.state import state

LARGEST_FORM = 8 * 2**10
blueprint = Blueprint("login", __name__, template_folder="templates")


@blueprint.get("/login")
def show() -> Response:
    """Ask for a key."""
    return _form()


@blueprint.post("/login")
def enter() -> BaseResponse:
    """Begin a session of the key that the form carries."""
    request.max_content_length = LARGEST_FORM
    try:
        key = _key(request.form.get("key", "").strip())
    except RefusedError as error:
        return _form(f"{error}.", 401)
    sessions, g.caller = state().gate.sessions, key.caller
    response = redirect(_within(request.form.get("next", "")), 303)
    response.set_cookie(
        COOKIE,
        sessions.begin(key.prefix),
        max_age=sessions.lifetime,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


@blueprint.post("/logout")
def leave() -> BaseResponse:
    """End the session in this browser."""
    response = redirect(url_for(".show"), 303)
    response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def _key(shown: str) -> ApiKey:
    key = state().gate.keyring.find(shown, now=datetime.now(UTC))
    if "read" not in key.scopes:
        raise RefusedError(f"The key {key.prefix} does not have the scope read")
    return key


def _form(complaint: str = "", status: int = 200) -> Response:
    wanted = _within(request.values.get("next", ""))
    return Response(render_template("login.html", wanted=wanted, complaint=complaint), status)


def _within(address: str) -> str:
    """Keep to the pages of this service: what a browser would take for another site becomes the first page.

    Browsers read a backslash as a slash and skip tabs and line ends.
    """
    inside = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if inside else url_for("dashboard.fleet")
