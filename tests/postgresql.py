"""A PostgreSQL server of the tests' own: a directory, a Unix socket in it, no network, an unprivileged user."""

import os
import shutil
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


@contextmanager
def server() -> Iterator[sa.URL]:
    """Run a server whose databases sort text by English rules; gives the address of its first database."""
    programs = PROGRAMS[-1].parent
    who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="wharfinger-postgresql-"))  # a socket's path may have 107 bytes
    try:
        if who:
            shutil.chown(folder, "nobody", "nogroup")
        made = [programs / "initdb", "--pgdata=data", "--username=wharfinger", "--auth=trust", "--no-sync"]
        kind = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en"]
        subprocess.run([*made, *kind], cwd=folder, check=True, capture_output=True, **who)
        options = [part for name, value in HASTY.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            run = subprocess.Popen(
                [programs / "postgres", "-D", "data", "-k", folder, "-c", "listen_addresses=", *options],
                cwd=folder,
                stderr=log,
                start_new_session=True,  # Ctrl-C stops the tests, and they the server
                **who,
            )
        try:
            _await(run, folder)
            yield sa.URL.create("postgresql", "wharfinger", database="postgres", query={"host": str(folder)})
        finally:
            run.terminate() if run.poll() is None else None
            run.wait(60)
    finally:
        shutil.rmtree(folder)


def _await(run: subprocess.Popen[bytes], folder: Path) -> None:
    ready = [PROGRAMS[-1].parent / "pg_isready", "--quiet", "--host", folder]
    while subprocess.run(ready, check=False).returncode:
        if run.poll() is not None:
            raise RuntimeError((folder / "log").read_text())
        time.sleep(0.05)


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
