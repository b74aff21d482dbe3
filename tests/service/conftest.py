"""A small fleet's telemetry, made anew: four workloads with their habits for three days, then one break-in."""

import json
import os
import random
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from service.access.callers import SCOPES, Scope
from service.app import create_app
from service.database import Database, connect
from service.jobs.ingest import ingest
from service.jobs.refresh import refresh
from service.jobs.score import score
from service.settings import Settings
from service.wiring import Home, open_home
from tests import postgresql
from tests.homes import copy_home

GIVEN = os.environ.pop("DATABASE_URL", "")  # so that no test uses what is meant for making databases on
START = datetime(2026, 9, 10, tzinfo=UTC)
SPLIT = START + timedelta(days=3)
END = SPLIT + timedelta(hours=6)
STRANGER = "203.0.113.66"
SERVICES = {
    "api": ("192.168.50.10", [("192.168.50.20", 5432), ("192.0.2.10", 443)]),
    "db": ("192.168.50.20", [("192.168.50.30", 9000)]),
    "web": ("192.168.50.30", [("192.168.50.10", 8000), ("192.0.2.20", 443)]),
    "worker": ("192.168.50.40", [("192.168.50.20", 5432), ("192.0.2.30", 443), ("192.0.2.31", 443)]),
}


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _snapshot(name: str, address: str) -> dict[str, object]:
    return {
        "observed_at": iso(START),
        "host": "n1",
        "inspect": {
            "Id": f"{name:0<64}".replace(" ", "0").encode().hex()[:64],
            "Name": f"/shop-{name}-1",
            "Created": iso(START - timedelta(hours=1)),
            "State": {"Status": "running", "StartedAt": iso(START - timedelta(hours=1))},
            "Config": {
                "Image": f"registry.example/shop/{name}:1.4",
                "Env": ["PATH=/bin"],
                "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": name},
            },
            "HostConfig": {"Privileged": False, "NetworkMode": "shop"},
            "NetworkSettings": {"Networks": {"shop": {"IPAddress": address}}},
        },
    }


def _flow(moment: datetime, source: str, target: tuple[str, int], number: int, sent: int) -> dict[str, object]:
    return {
        "ts": moment.timestamp(),
        "uid": f"C{number:09d}",
        "id.orig_h": source,
        "id.orig_p": 30000 + number % 20000,
        "id.resp_h": target[0],
        "id.resp_p": target[1],
        "proto": "tcp",
        "service": "ssl" if target[1] == 443 else None,
        "duration": 0.5,
        "orig_bytes": sent,
        "resp_bytes": 4 * sent,
        "conn_state": "SF",
    }


def telemetry() -> list[dict[str, object]]:
    """Give the fleet's records in time order; the last six hours hold a break-in into shop/api."""
    chance = random.Random(7)  # noqa: S311 -- a reproducible fleet
    records = [_snapshot(name, address) for name, (address, _) in SERVICES.items()]
    moment, number = START, 0
    while moment < END:
        for address, targets in SERVICES.values():
            for target in targets:
                for _ in range(chance.randint(1, 4)):
                    number += 1
                    at = moment + timedelta(seconds=chance.uniform(0, 599))
                    records.append(_flow(at, address, target, number, chance.randint(500, 900)))
        moment += timedelta(minutes=10)
    for step in range(60):
        number += 1
        at = SPLIT + timedelta(hours=2, seconds=31 * step)
        records.append(_flow(at, SERVICES["api"][0], (STRANGER, 4444), number, 200_000))
    return records


@dataclass(frozen=True)
class Fleet:
    """A home with telemetry, a model and scores, opened with settings that tests may change."""

    settings: Settings
    home: Home
    version: str


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Learn the fleet until the split and score what follows: the whole way that real telemetry goes."""
    folder = tmp_path_factory.mktemp("fleet")
    records = folder / "telemetry.ndjson"
    records.write_text("\n".join(json.dumps(record) for record in telemetry()) + "\n")
    settings = Settings.load(folder / "home", {"WHARFINGER_MODEL_POLL_SECONDS": "0"})
    home = open_home(settings)
    ingest(home, [records])
    report = refresh(home, until=SPLIT)
    if not report.promoted:
        home.registry.promote(report.version)
    score(home, since=SPLIT)
    return Fleet(settings, home, report.version)


@pytest.fixture
def settings_at(tmp_path: Path) -> Callable[..., Settings]:
    """Make settings of an empty home from environment values."""
    return lambda **values: Settings.load(tmp_path / "home", {f"WHARFINGER_{k.upper()}": v for k, v in values.items()})


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep log lines out of the test report."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def app(fleet: Fleet) -> Flask:
    """The application over the fleet's home; tests that change it make their own."""
    return create_app(fleet.settings)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def empty(settings_at: Callable[..., Settings]) -> FlaskClient:
    """A client of a home in which nothing happened yet."""
    return create_app(settings_at()).test_client()


@dataclass(frozen=True)
class Guarded:
    """An application over a copy of the fleet's home, with a key for each scope that has this scope alone."""

    app: Flask
    home: Home
    keys: dict[Scope, str]

    def ask(self, method: str, path: str, scope: Scope | None = None, **parts: Any) -> TestResponse:
        """Ask with the key of a scope, or with none."""
        headers = {"Authorization": f"Bearer {self.keys[scope]}"} if scope else {}
        return self.app.test_client().open(path, method=method, headers=headers | parts.pop("headers", {}), **parts)


@pytest.fixture(scope="module")
def guarded(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Guarded:
    """A fleet that asks for keys; a module's tests share it."""
    folder = tmp_path_factory.mktemp("guarded") / "home"
    copy_home(fleet.settings.home, folder)
    app = create_app(Settings.load(folder, {"WHARFINGER_MODEL_POLL_SECONDS": "0"}))
    home = app.extensions["wharfinger"].home
    keys = {scope: home.keys.create(scope, [scope], now=datetime.now(UTC))[1] for scope in SCOPES}
    return Guarded(app, home, keys)


@pytest.fixture
def cluster() -> Iterator[postgresql.Cluster]:
    """A PostgreSQL server of the test's own, which it may stop."""
    require_postgresql()
    with postgresql.cluster() as running:
        yield running


def require_postgresql() -> None:
    if not postgresql.PROGRAMS:
        missing = "no PostgreSQL here (Debian: apt-get install postgresql)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


@pytest.fixture(scope="session")
def server() -> Iterator[sa.URL]:
    """A PostgreSQL server: that of DATABASE_URL, where tests may make databases, or one of our own."""
    if GIVEN.startswith("postgres"):
        yield sa.make_url(GIVEN).set(drivername="postgresql")
        return
    require_postgresql()
    with postgresql.server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated(server: sa.URL) -> Iterator[str]:
    """The name of a database whose schema is up to date, to be copied."""
    url = postgresql.create(server)
    database = connect(url.render_as_string(hide_password=False), Path())
    database.migrate()
    database.close()
    yield str(url.database)
    postgresql.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each dialect in turn."""
    return str(request.param)


@pytest.fixture
def address(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database in which there is nothing, not even tables."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path}/w.db"
        return
    url = postgresql.create(request.getfixturevalue("server"))
    yield url.render_as_string(hide_password=False)
    postgresql.drop(url)


@pytest.fixture
def database(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An up-to-date database without rows."""
    if dialect == "sqlite":
        database = connect(f"sqlite:///{tmp_path}/w.db", tmp_path)
        database.migrate()
        yield database
        database.close()
        return
    url = postgresql.create(request.getfixturevalue("server"), request.getfixturevalue("migrated"))
    database = connect(url.render_as_string(hide_password=False), tmp_path)
    yield database
    database.close()
    postgresql.drop(url)


@contextmanager
def no_room() -> Iterator[None]:
    """Let the kernel refuse to write files of more than a few bytes, as a full disk does."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
