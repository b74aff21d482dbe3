"""A home whose database is on a PostgreSQL server."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from service.app import create_app
from service.database import connect
from service.jobs.score import score
from service.settings import Settings
from service.wiring import open_home
from tests import postgresql
from tests.service.conftest import SPLIT

CHANGE = {"workload": "docker:shop/*", "from": "2026-09-13T00:00:00Z", "until": "2026-09-14T00:00:00Z", "by": "ci"}


@pytest.fixture
def url(server: sa.URL) -> Any:
    """The address of an empty database on the server."""
    url = postgresql.create(server)
    yield url
    postgresql.drop(url)


def test_the_service_works_on_postgresql(url: sa.URL, fleet: Any, settings_at: Callable[..., Settings]) -> None:
    """The fleet is scored into the server, and the API reads, pages and takes changes as from a file."""
    settings = settings_at(database_url=url.render_as_string(hide_password=False))
    settings.home.mkdir()
    for part in ("lake", "models", "keys"):
        (settings.home / part).symlink_to(fleet.settings.home / part)
    home = open_home(settings)
    scores = score(home, since=SPLIT)
    app = create_app(settings)
    client = app.test_client()

    ready = client.get("/readyz")
    page = client.get("/v1/scores?limit=3&order=bits").json
    change = client.post("/v1/changes", json=CHANGE | {"destinations": ["203.0.113.66:4444"]})

    assert ready.status_code == 200, ready.text
    assert not (settings.home / "wharfinger.db").exists()
    assert page["scores"][0]["bits"] == max(one.bits for one in scores)
    assert page["next"] is not None
    assert client.get("/v1/workloads").json["workloads"]
    assert client.get("/").status_code == 200
    assert change.status_code == 200
    assert client.delete(f"/v1/changes/{change.json['id']}").status_code < 300
    there, here = (
        [msgspec.structs.replace(one, revision=0) for one in stored.query()[0]]  # those of the fleet may have changed
        for stored in (home.store, fleet.home.store)
    )
    assert there == here
    home.database.close()
    app.extensions["wharfinger"].home.database.close()


def test_a_database_that_only_reads_is_not_ready(url: sa.URL, tmp_path: Path) -> None:
    """A server that refuses writes, as a standby does, is found out by the readiness check."""
    address = url.render_as_string(hide_password=False)
    database = connect(address, tmp_path)
    database.migrate()
    database.check_writable()
    database.close()
    postgresql.execute(url, f"ALTER DATABASE {url.database} SET default_transaction_read_only = on")

    with pytest.raises(DBAPIError, match="read-only"):
        database.check_writable()
    database.close()


def test_connections_that_the_server_closed_are_replaced(url: sa.URL, tmp_path: Path) -> None:
    """After a restart of the server the next request works, without a restart of the service."""
    database = connect(url.render_as_string(hide_password=False), tmp_path)
    database.migrate()
    others = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{url.database}'"  # noqa: S608 -- a name of our own
    postgresql.execute(url.set(database="postgres"), others)

    database.check_writable()
    database.close()


def test_a_migration_that_is_killed_leaves_nothing(url: sa.URL, tmp_path: Path) -> None:
    """A process that dies while it migrates leaves the schema as it was, and the next one migrates."""
    address = url.render_as_string(hide_password=False)
    program = (
        "import os, signal, sys; from pathlib import Path; from service.database import connect;"
        "from service.migrations.upgrade import upgrade\n"
        "with connect(sys.argv[1], Path()).alone() as connection:\n"
        "    upgrade(connection); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", program, address], check=False)
    database = connect(address, tmp_path)

    assert killed.returncode == -signal.SIGKILL
    assert database.revision() is None
    database.migrate()
    database.close()
