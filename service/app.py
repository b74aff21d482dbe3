"""The web application: API and dashboard over one home."""

import time
import uuid

import structlog
from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from service.access.gate import gate_of
from service.admission import Admission
from service.api import problems
from service.api.documentation import CONTENT_POLICY, RESOURCES, pages
from service.api.operations import SAFE_METHODS
from service.dashboard import dashboard, login
from service.metrics import REQUESTS, SECONDS
from service.settings import Settings
from service.state import ModelWatch, State
from service.wiring import open_home

_log = structlog.get_logger("wharfinger.http")
_QUIET = ("/healthz", "/readyz", "/metrics", "/ping", "/v2/health/live", "/v2/health/ready")
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
}


def create_app(settings: Settings, *, closed: bool = False) -> Flask:
    """Make the application.

    Parameters
    ----------
    closed
        Whether a caller must be known even if there are no keys, because others than this machine reach it.

    Raises
    ------
    service.wiring.HomeError, service.database.DatabaseError
        If the home cannot be opened.
    service.settings.SettingsError, service.private_files.PrivateFileError
        If the settings of the identity provider, or the secret of sessions, cannot be used.
    """
    app = Flask("service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_INFLATED_LENGTH"] = settings.max_inflated_bytes
    home = open_home(settings)
    gate = gate_of(settings, home.keys, home.session_secret(), closed=closed)
    State(home, ModelWatch(home, settings.model_poll_seconds), gate).attach(app.extensions)
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    app.register_blueprint(pages)
    app.register_blueprint(dashboard)
    app.register_blueprint(login)
    problems.register(app, {one.below: one.error.of for one in RESOURCES if one.error})
    app.before_request(_begin)
    app.after_request(_finish)
    Admission((one for each in RESOURCES for one in each.operations), settings.allowed_hosts).attach(app)
    if behind := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=behind, x_proto=behind)  # type: ignore[method-assign]  # Flask's own way
    return app


def _begin() -> None:
    g.started = time.perf_counter()
    g.request_id = uuid.uuid4().hex


def _finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    route = request.url_rule.rule if request.url_rule else "(none)"
    method = request.method if request.method in (*SAFE_METHODS, "POST", "PUT", "PATCH", "DELETE") else "(other)"
    REQUESTS.labels(method, route, response.status_code).inc()
    SECONDS.labels(route).observe(seconds)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Request-Id"] = g.get("request_id", "")
    response.headers["Server-Timing"] = f"total;dur={seconds * 1000:.2f}"  # https://www.w3.org/TR/server-timing/
    if route not in _QUIET:
        _log.info(
            "request",
            id=g.get("request_id", ""),
            method=method,
            path=request.path,
            status=response.status_code,
            who=caller.name if (caller := g.get("caller")) else "",
            milliseconds=round(seconds * 1000, 2),
        )
    return response
