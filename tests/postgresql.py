"""A PostgreSQL server of the tests' own: a directory, a Unix socket in it, no network, an unprivileged user."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
# Whatever a crash could lose is lost with the tests anyway.
HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "40"}


class Cluster:
    """A server whose databases sort text by English rules, in a folder of its own; it can be stopped and started.

    Attributes
    ----------
    url
        The address of its first database.
    """

    def __init__(self, folder: Path) -> None:
        self._programs, self._folder = PROGRAMS[-1].parent, folder
        self._who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
        self.url = sa.URL.create("postgresql", "wharfinger", database="postgres", query={"host": str(folder)})
        if self._who:
            shutil.chown(folder, "nobody", "nogroup")
        made = [self._programs / "initdb", "--pgdata=data", "--username=wharfinger", "--auth=trust", "--no-sync"]
        kind = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]
        subprocess.run([*made, *kind], cwd=folder, check=True, capture_output=True, **self._who)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [part for name, value in HASTY.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            self._run = subprocess.Popen(
                [self._programs / "postgres", "-D", "data", "-k", self._folder, "-c", "listen_addresses=", *options],
                cwd=self._folder,
                stderr=log,
                start_new_session=True,  # Ctrl-C stops the tests, and they the server
                **self._who,
            )
        ready = [self._programs / "pg_isready", "--quiet", "--host", self._folder]
        while subprocess.run(ready, check=False).returncode:
            if self._run.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, whoever is connected."""
        if self._run.poll() is None:
            self._run.send_signal(signal.SIGINT)
        self._run.wait(60)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a server that the test may stop."""
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-postgresql-"))  # a socket's path may have 107 bytes
    try:
        made = Cluster(folder)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def server() -> Iterator[sa.URL]:
    """Run a server; gives the address of its first database."""
    with cluster() as running:
        yield running.url


def create(server: sa.URL, template: str = "template1") -> sa.URL:
    """Make a database on a server, empty or as a copy of another; gives its address."""
    name = f"wharfinger_{uuid.uuid4().hex[:12]}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.set(database=name)


def drop(url: sa.URL) -> None:
    """Remove a database, whoever is connected to it."""
    execute(url.set(database="postgres"), f"DROP DATABASE {url.database} WITH (FORCE)")


def execute(url: sa.URL, statement: str) -> None:
    """Run one statement in no transaction."""
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
