from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from flask import Flask
from werkzeug.serving import make_server

from service.app import create_app
from service.client import Client
from service.settings import Settings
from tests.homes import copy_home
from tests.service.conftest import Fleet
from tests.service.outputs.conftest import certificates, receiver

__all__ = ["certificates", "receiver"]


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application on a port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def copied(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An application over a copy of the fleet's home, which a module's tests may change."""
    folder = tmp_path_factory.mktemp("client") / "home"
    copy_home(fleet.settings.home, folder)
    return create_app(Settings.load(folder, {"WHARFINGER_MODEL_POLL_SECONDS": "0"}))


@pytest.fixture(scope="module")
def url(copied: Flask) -> Iterator[str]:
    """Address at which that application is served."""
    with served(copied) as found:
        yield found


@pytest.fixture(scope="module")
def wharfinger(url: str) -> Iterator[Client]:
    """A client of that application."""
    with Client(url) as found:
        yield found
