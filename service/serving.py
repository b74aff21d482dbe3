"""Serves the application with gunicorn until it is told to stop."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from service.listening import is_loopback, require_certificate, require_free, require_keys
from service.logs import configure_logs, log_config
from service.settings import Settings
from service.workers import PatientWorker

GRACE_SECONDS = 20
_RESTART_SECONDS = 2.0


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
            "post_worker_init": _get_ready,
            "child_exit": _forget,
        }
        super().__init__()

    def run(self) -> None:
        _Master(self, self._settings).run()

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


class _Master(Arbiter):  # type: ignore[misc]  # gunicorn is untyped
    """Gunicorn's master, which keeps the process that leads alive as it does the workers."""

    def __init__(self, app: _Server, settings: Settings) -> None:
        self._settings = settings
        self._leading: subprocess.Popen[bytes] | None = None
        self._started = -_RESTART_SECONDS
        super().__init__(app)

    def manage_workers(self) -> None:
        """Replace what ended; called every second."""
        super().manage_workers()
        gone = self._leading is None or self._leading.poll() is not None
        if gone and self._settings.score_seconds and time.monotonic() - self._started >= _RESTART_SECONDS:
            if self._leading is not None:
                self.log.error("The leading process %s is gone; starting another.", self._leading.pid)
                _mark_dead(self._leading.pid)
            self._started = time.monotonic()
            # not forked from here: the thread pool of polars does not survive that
            self._leading = subprocess.Popen(  # noqa: S603 -- this interpreter, and a number
                [sys.executable, "-m", "service.leading", str(os.getpid())],
                env={**os.environ, "WHARFINGER_HOME": str(self._settings.home)},
            )

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002 -- as gunicorn calls it
        """Stop the leading process together with the workers."""
        if self._leading is not None:
            self._leading.terminate()
        super().stop(graceful)
        if self._leading is not None:
            try:
                self._leading.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:  # what it leaves undone is done again after a start
                self._leading.kill()
                self._leading.wait()


def _get_ready(worker: Any) -> None:  # noqa: ANN401 -- a gunicorn worker
    """Load the model before the first request, and never before the fork: no thread survives one, as polars' pool."""
    with worker.wsgi.app_context():
        from models.compiled_forest import prepare  # noqa: PLC0415 -- compiles, where numba is installed
        from service.courier import start  # noqa: PLC0415 -- see `load`
        from service.state import state  # noqa: PLC0415 -- see `load`

        state().model.get()
        prepare()
        start(state().home)


def _forget(_: object, worker: Any) -> None:  # noqa: ANN401 -- a gunicorn worker
    _mark_dead(worker.pid)


def _mark_dead(pid: int) -> None:
    from prometheus_client import multiprocess  # noqa: PLC0415 -- see `load`

    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as the library leaves it


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
