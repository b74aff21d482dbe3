"""The web application: API and dashboard over one home."""

import time
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, g, request

from service.api import problems
from service.api.documentation import RESOURCES, pages
from service.api.problems import refuse
from service.dashboard import blueprint as dashboard
from service.metrics import REQUESTS, SECONDS
from service.settings import Settings
from service.state import ModelWatch, State
from service.wiring import open_home

_log = structlog.get_logger("wharfinger.http")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_QUIET = ("/healthz", "/readyz", "/metrics")
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
}


def create_app(settings: Settings) -> Flask:
    """Make the application.

    Raises
    ------
    service.wiring.HomeError, service.database.DatabaseError
        If the home cannot be opened.
    """
    app = Flask("service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_INFLATED_LENGTH"] = settings.max_inflated_bytes
    home = open_home(settings)
    State(home, ModelWatch(home, settings.model_poll_seconds)).attach(app.extensions)
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    app.register_blueprint(pages)
    app.register_blueprint(dashboard)
    problems.register(app)
    app.before_request(_guard(frozenset(settings.allowed_hosts)))
    app.after_request(_finish)
    return app


def _guard(allowed: frozenset[str]) -> Callable[[], None]:
    def check() -> None:
        """Refuse what a foreign web site could make a browser on this machine send."""
        g.started = time.perf_counter()
        g.request_id = uuid.uuid4().hex
        if _host_name(request.host) not in allowed:
            raise refuse(400, f"The service does not answer for {request.host!r}; see the setting allowed_hosts.")
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
        if request.method not in _SAFE_METHODS and (foreign or request.headers.get("Sec-Fetch-Site") == "cross-site"):
            raise refuse(403, "The request comes from another web site.")

    return check


def _host_name(host: str) -> str:
    """Take the port off a `Host` header; IPv6 addresses keep their brackets."""
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0].lower()


def _finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = request.url_rule.rule if request.url_rule else "(none)"
    method = request.method if request.method in (*_SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE") else "(other)"
    REQUESTS.labels(method, route, response.status_code).inc()
    SECONDS.labels(route).observe(seconds)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Request-Id"] = g.get("request_id", "")
    if route not in _QUIET:
        _log.info(
            "request",
            id=g.get("request_id", ""),
            method=method,
            path=request.path,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 2),
        )
    return response
