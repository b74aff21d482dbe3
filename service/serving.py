"""Serves the application with gunicorn until it is told to stop."""

import ipaddress
import logging
import os
import shutil
import socket
import ssl
import sys
import tempfile
from datetime import UTC, datetime
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication

from service.access.gate import provider_of
from service.access.redaction import redact_line
from service.settings import Settings, SettingsError
from service.wiring import open_home
from service.workers import PatientWorker

GRACE_SECONDS = 20


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """Gunicorn, configured by arguments alone."""

    def __init__(self, settings: Settings, host: str, port: int, workers: int) -> None:
        self._settings = settings
        self._closed = not is_loopback(host)
        self._options = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": workers,
            "worker_class": PatientWorker,
            "threads": settings.web_threads,
            "preload_app": True,
            "graceful_timeout": GRACE_SECONDS,
            "timeout": 120,
            "keepalive": 5,
            "max_requests": 0,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",
            "certfile": settings.tls_certificate or None,
            "keyfile": settings.tls_key or None,
            "proc_name": "wharfinger",
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108, PTH112 -- a heartbeat file in memory
            "logconfig_dict": log_config(settings.log_level),
            "post_worker_init": _load_model,
            "child_exit": _forget,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if value is not None and name in self.cfg.settings:  # older versions lack some
                self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 -- a WSGI application
        from service.app import create_app  # noqa: PLC0415 -- metrics must see PROMETHEUS_MULTIPROC_DIR when imported
        from service.state import State  # noqa: PLC0415 -- same

        app = create_app(self._settings, closed=self._closed)
        here = app.extensions["wharfinger"]
        if isinstance(here, State):
            here.home.database.close()  # a connection must not cross a fork
        return app


def _load_model(worker: Any) -> None:  # noqa: ANN401 -- a gunicorn worker
    """Load the model before the first request, and never before the fork: polars' thread pool does not survive one."""
    with worker.wsgi.app_context():
        from models.compiled_forest import prepare  # noqa: PLC0415 -- compiles, where numba is installed
        from service.state import state  # noqa: PLC0415 -- see `load`

        state().model.get()
        prepare()


def _forget(_: object, worker: Any) -> None:  # noqa: ANN401 -- a gunicorn worker
    from prometheus_client import multiprocess  # noqa: PLC0415 -- see `load`

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # as the library leaves it


def serve(settings: Settings, host: str | None = None, port: int | None = None, workers: int | None = None) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight are finished first, for up to 20 seconds.

    Parameters
    ----------
    host, port, workers
        In place of those of the settings.

    Raises
    ------
    SettingsError
        If the address is in use, or others reach it and there are no keys, or the certificate cannot be used.
    SystemExit
        When told to stop, with code 0.
    """
    host = host or settings.listen_host
    port = settings.listen_port if port is None else port
    if not is_loopback(host):
        require_keys(settings, host)
    require_certificate(settings)
    require_free(host, port)
    configure_logs(settings.log_level)
    folder = tempfile.mkdtemp(prefix="wharfinger-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    master = os.getpid()
    try:
        _Server(settings, host, port, workers or settings.web_workers).run()
    finally:
        if os.getpid() == master:
            shutil.rmtree(folder, ignore_errors=True)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_keys(settings: Settings, host: str) -> None:
    """Refuse to listen where other machines reach while nobody would be asked for a key.

    Raises
    ------
    SettingsError
        If there is neither a key that opens anything nor an identity provider.
    """
    home, now = open_home(settings), datetime.now(UTC)
    keys = home.keys.all()
    home.database.close()
    if provider_of(settings) is None and not any(key.state(now) == "active" for key in keys):
        raise SettingsError(
            f"refusing to listen on {host} without keys, since anyone who reaches it could use it; "
            "run: wharfinger keys create NAME --scope read"
        )


def require_certificate(settings: Settings) -> None:
    """Refuse a certificate that cannot be served with.

    Raises
    ------
    SettingsError
        If it or its key is missing, unreadable, or they do not belong together.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if bool(certificate) != bool(key):
        raise SettingsError("tls_certificate and tls_key belong together; set both or none")
    if certificate:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"cannot serve with tls_certificate and tls_key: {error.strerror or error}") from None


def require_free(host: str, port: int) -> None:
    """Find out early, and say plainly, that the address cannot be listened on.

    Raises
    ------
    SettingsError
        If it is in use or not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another --port"
            ) from None


def configure_logs(level: str) -> None:
    """Write structlog's lines as JSON to standard error."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
            redact_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def log_config(level: str) -> dict[str, Any]:
    """Give the configuration that turns gunicorn's own lines into the same JSON."""
    shared = [structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
            redact_line,
        ],
    }
    handler = {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"stderr": handler},
        "root": {"level": level.upper(), "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": {"level": level.upper(), "handlers": ["stderr"], "propagate": False}},
    }
