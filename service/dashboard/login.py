"""Logging in, with a key or at an identity provider, and out again."""

from collections.abc import Collection
from datetime import UTC, datetime

import structlog
from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from service.access.callers import Caller, RefusedError, Scope, UnverifiableError
from service.access.login_provider import Attempt, LoginProvider
from service.access.sessions import ATTEMPT, ATTEMPT_SECONDS, COOKIE
from service.state import state

_log = structlog.get_logger("wharfinger.access")
LARGEST_FORM = 8 * 2**10
blueprint = Blueprint("login", __name__, template_folder="templates")


@blueprint.get("/login")
def show() -> Response:
    """Ask for a key, or lead to the identity provider."""
    return _form()


@blueprint.post("/login")
def enter() -> BaseResponse:
    """Begin a session of the key that the form carries."""
    request.max_content_length = LARGEST_FORM
    try:
        caller = _reader(state().gate.keyring.find(request.form.get("key", "").strip(), now=datetime.now(UTC)).caller)
    except RefusedError as error:
        return _form(f"{error}.", 401)
    return _begin_session(redirect(_within(request.form.get("next", "")), 303), caller)


@blueprint.get("/login/provider")
def begin() -> BaseResponse:
    """Send the browser to the identity provider."""
    provider, sessions = _provider(), state().gate.sessions
    try:
        attempt, address = provider.begin(_within(request.args.get("next", "")), _callback())
    except UnverifiableError as error:
        return _form(f"{error}.", 503)
    response = redirect(address, 303)
    response.set_cookie(
        ATTEMPT,
        sessions.keep_attempt(attempt),
        max_age=ATTEMPT_SECONDS,
        path=url_for(".finish"),
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",  # the provider's site sends the browser back
    )
    return response


@blueprint.get("/login/callback")
def finish() -> BaseResponse:
    """Take the browser back from the identity provider, once, and begin a session of whom it vouches for."""
    provider = _provider()
    try:
        attempt = _attempt()
        caller = _reader(provider.finish(attempt, request.args, _callback()))
    except RefusedError as error:
        _log.warning("log-in refused", reason=str(error), origin=request.remote_addr)
        response: BaseResponse = _form(f"{error}.", 401)
    except UnverifiableError as error:
        response = _form(f"{error}.", 503)
    else:
        # a page and no redirection: the browser would not send the cookie along on a way that began at another site
        page = render_template("logged_in.html", wanted=_within(attempt.wanted))
        response = _begin_session(Response(page), caller, caller.scopes)
    response.delete_cookie(ATTEMPT, path=url_for(".finish"), secure=request.is_secure, httponly=True, samesite="Lax")
    return response


@blueprint.post("/logout")
def leave() -> BaseResponse:
    """End the session in this browser."""
    response = redirect(url_for(".show"), 303)
    response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def _begin_session(response: BaseResponse, caller: Caller, scopes: Collection[Scope] = ()) -> BaseResponse:
    sessions, g.caller = state().gate.sessions, caller
    response.set_cookie(
        COOKIE,
        sessions.begin(caller.name, scopes),
        max_age=sessions.lifetime,
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def _reader(caller: Caller) -> Caller:
    if "read" not in caller.scopes:
        raise RefusedError(f"{caller.name} does not have the scope read")
    return caller


def _provider() -> LoginProvider:
    found = state().gate.login
    if found is None:
        raise NotFound
    return found


def _attempt() -> Attempt:
    found = state().gate.sessions.attempt(request.cookies.get(ATTEMPT, ""))
    if found is None:
        raise RefusedError("The log-in was not begun in this browser, or long ago; try again")
    return found


def _callback() -> str:
    """Give the address that the identity provider sends browsers back to, as it must know it."""
    base = state().home.settings.public_url.rstrip("/")
    return base + url_for("login.finish") if base else url_for("login.finish", _external=True)


def _form(complaint: str = "", status: int = 200) -> Response:
    wanted = _within(request.values.get("next", ""))
    return Response(render_template("login.html", wanted=wanted, complaint=complaint, gate=state().gate), status)


def _within(address: str) -> str:
    """Keep to the pages of this service: what a browser would take for another site becomes the first page.

    Browsers read a backslash as a slash and skip tabs and line ends.
    """
    inside = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if inside else url_for("dashboard.fleet")
