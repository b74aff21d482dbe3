"""Lets requests in, or not: where they come from, who sends them, what they may do, and how often."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from flask import Flask, Response, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from service.access.audit_record import AuditRecord
from service.access.callers import ANYONE, Caller, RefusedError, Scope, UnverifiableError
from service.access.gate import Gate
from service.access.sessions import COOKIE
from service.api.operations import SAFE_METHODS, Operation
from service.api.problems import ProblemError, refuse
from service.state import state

_log = structlog.get_logger("wharfinger.access")
FORM_TOKEN = "X-Form-Token"  # noqa: S105 -- the name of a header
_ASKING = ("login.begin", "login.finish")  # ask an identity provider on behalf of whoever comes
_PUBLIC = ("dashboard.static", "login.show", "login.enter", *_ASKING)  # nobody could log in otherwise
_PAGES = ("dashboard", "documentation")
_SESSIONS = ("login.enter", "login.leave", "login.finish")


class Admission:
    """What every request passes before it is answered, and what remembers those that change something.

    Parameters
    ----------
    operations
        The endpoints of the API, which say what scope they need. Any other endpoint needs `read`, or `operate` to
        change something, unless it is listed above.
    hosts
        Names that the service answers for.
    """

    def __init__(self, operations: Iterable[Operation], hosts: Iterable[str]) -> None:
        self._operations = {one.endpoint: one for one in operations}
        self._hosts = frozenset(hosts)

    def attach(self, app: Flask) -> None:
        """Stand before and behind every request of an application."""
        app.before_request(self.admit)
        app.after_request(self.record)

    def admit(self) -> BaseResponse | None:
        """Refuse a request, send it to the log-in page, or let it pass with `g.caller` set.

        Raises
        ------
        ProblemError
            400 or 403 for what a foreign web site could make a browser send, 401 without an accepted key, 403 without
            the scope, 429 when too much is asked, 503 when a token cannot be checked.
        """
        self._refuse_foreign()
        gate, endpoint = state().gate, request.endpoint
        if endpoint in _PUBLIC or (endpoint in self._operations and self._operations[endpoint].scope is None):
            if request.method not in SAFE_METHODS or endpoint in _ASKING:
                _spend(gate, _address())
            return None
        try:
            g.caller = ANYONE if gate.open else _caller(gate)
        except RefusedError as error:
            _spend(gate, _address())
            if request.blueprint in _PAGES and request.method in SAFE_METHODS:
                return redirect(url_for("login.show", next=request.full_path.rstrip("?")), 303)
            raise _unauthorised(error) from None
        _spend(gate, _address() if g.caller is ANYONE else g.caller.name)
        needed = self._scope(endpoint)
        if needed is not None and needed not in g.caller.scopes:
            refused = refuse(403, f"This needs the scope {needed}, which {g.caller.name} does not have.")
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            raise ProblemError(refused.problem, {"WWW-Authenticate": challenge})
        return None

    def record(self, response: Response) -> Response:
        """Keep a record of a changing call whose caller is known, refused ones included."""
        caller: Caller | None = g.get("caller")
        declared = self._operations.get(request.endpoint or "")
        audited = declared.audited if declared else request.endpoint in _SESSIONS
        if caller is None or not audited or response.status_code == 429:  # noqa: PLR2004 -- an HTTP status
            return response
        record = AuditRecord(
            at=datetime.now(UTC),
            who=caller.name,
            origin=_address(),
            operation=(request.endpoint or "").rpartition(".")[2],
            target=g.get("target") or request.path,
            outcome=response.status_code,
        )
        try:
            state().home.audit.add(record)
        except sa.exc.SQLAlchemyError as error:
            lost = {"who": record.who, "operation": record.operation, "target": record.target}
            _log.error("audit record not kept", reason=str(getattr(error, "orig", error)), **lost)
        return response

    def _refuse_foreign(self) -> None:
        if _host_name(request.host) not in self._hosts:
            raise refuse(400, f"The service does not answer for {request.host!r}; see the setting allowed_hosts.")
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
        if request.method not in SAFE_METHODS and (foreign or request.headers.get("Sec-Fetch-Site") == "cross-site"):
            raise refuse(403, "The request comes from another web site.")

    def _scope(self, endpoint: str | None) -> Scope | None:
        if endpoint is None or endpoint in _SESSIONS:  # there is no such thing, or anybody may
            return None
        if endpoint in self._operations:
            return self._operations[endpoint].scope
        return "read" if request.method in SAFE_METHODS else "operate"


def _host_name(host: str) -> str:
    """Take the port off a `Host` header; IPv6 addresses keep their brackets."""
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0].lower()


def _address() -> str:
    return request.remote_addr or "unknown"


def _caller(gate: Gate) -> Caller:
    now = datetime.now(UTC)
    shown = request.headers.get("Authorization")
    if shown is None:
        return _caller_of_session(gate, now)
    kind, _, token = shown.partition(" ")
    if kind.lower() != "bearer":
        raise RefusedError("Send `Authorization: Bearer` and a key")
    try:
        return gate.by_token(token.strip(), now=now)
    except UnverifiableError as error:
        unavailable = refuse(503, f"{error}.", kind="unverifiable")
        raise ProblemError(unavailable.problem, {"Retry-After": "10"}) from None


def _caller_of_session(gate: Gate, now: datetime) -> Caller:
    session = gate.sessions.read(request.cookies.get(COOKIE, ""))
    if session is None:
        raise RefusedError("Send a key, as `Authorization: Bearer`")
    caller = gate.by_session(session, now=now)
    g.form_token = gate.sessions.form_token(session)
    if request.method not in SAFE_METHODS:
        carried = request.headers.get(FORM_TOKEN) or request.form.get("form_token", "")
        if not gate.sessions.is_form_token(session, carried):
            raise refuse(403, "The form was not made by this session; load the page again.")
    return caller


def _spend(gate: Gate, name: str) -> None:
    if wait := gate.buckets.take(name):
        asked = refuse(429, f"{name} asks too often; see the setting requests_per_second.", kind="too-often")
        raise ProblemError(asked.problem, {"Retry-After": str(math.ceil(wait))})


def _unauthorised(error: RefusedError) -> ProblemError:
    told = refuse(401, f"{error}; wharfinger keys create makes one.")
    challenge = "Bearer" if request.authorization is None else 'Bearer error="invalid_token"'
    return ProblemError(told.problem, {"WWW-Authenticate": challenge})
