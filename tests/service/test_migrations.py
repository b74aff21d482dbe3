"""Databases of every earlier schema become today's, with what is in them."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import json, structs

from models.scores import BaselineInfo, Reason, Score
from service.database import Database, DatabaseError, Sqlite, connect
from service.migrations import FOLDER, HEAD, revision, revision_table
from service.migrations.upgrade import upgrade
from service.tables import label_table, metadata

ROOT = Path(__file__).parents[2]
REVISIONS = sorted(path.stem[:4] for path in FOLDER.glob("versions/[0-9]*.py"))
# The schema of before there were migrations, as it was made.
UNNUMBERED = """
CREATE TABLE meta ("key" VARCHAR NOT NULL, value VARCHAR, PRIMARY KEY ("key"));
CREATE TABLE scores (
    workload VARCHAR NOT NULL, window_start BIGINT NOT NULL, window_end BIGINT NOT NULL, bits FLOAT NOT NULL,
    severity SMALLINT NOT NULL, model VARCHAR NOT NULL, body BLOB NOT NULL, PRIMARY KEY (workload, window_start)
);
CREATE INDEX scores_by_time ON scores (window_start, workload, bits, severity);
CREATE INDEX scores_by_workload ON scores (workload, window_start, bits, severity);
CREATE INDEX scores_by_bits ON scores (bits, window_start, workload);
INSERT INTO meta VALUES ('schema', '1');
"""
FEEDBACK = """
CREATE TABLE feedback (
    id VARCHAR NOT NULL, kind VARCHAR NOT NULL, until BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (id)
);
CREATE INDEX feedback_by_kind ON feedback (kind, until);
"""
# By revision: a row of each table that it makes.
ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "0001": {
        "scores": {
            "workload": "docker:shop/api",
            "window_start": 1_789_344_000_000_000,
            "window_end": 1_789_344_600_000_000,
            "bits": 18.9,
            "severity": 3,
            "model": "m1",
            "body": b'{"workload":"docker:shop/api"}',
        },
        "feedback": {"id": "change-1", "kind": "Change", "until": 1_789_344_600_000_000, "body": b"{}"},
    },
    "0002": {
        "outbox": {
            "id": "5f2b8c",
            "output": "hook",
            "alert": "2026-09-14T09:10:00Z/docker:shop/api",
            "sequence": 1,
            "state": "pending",
            "attempts": 0,
            "next_attempt": 1_789_344_600_000_000,
            "leased_until": 0,
            "holder": "",
            "changed": 1_789_344_600_000_000,
            "last_error": "",
            "body": b"{}",
        },
        "told": {
            "output": "hook",
            "alert": "2026-09-14T09:10:00Z/docker:shop/api",
            "until": 1_789_344_600_000_000,
            "body": b"{}",
        },
    },
    "0003": {
        "leases": {"name": "leader", "holder": "n1:7:ab", "renewals": 3},
        "heard": {"source": "zeek", "host": "", "latest": 1_789_344_600_000_000},
        "touched_windows": {
            "window_start": 1_789_344_000_000_000,
            "additions": 2,
            "scored_additions": 1,
            "first_scored": None,
        },
        "answers": {"key": "k", "digest": b"d", "body": b"{}", "given": 1_789_344_600_000_000},
    },
    "0004": {
        "api_keys": {
            "prefix": "0123456789ab",
            "name": "ci",
            "digest": bytes(32),
            "scopes": "score read",
            "created": 1_789_344_000_000_000,
        },
        "audit": {
            "at": 1_789_344_000_000_000,
            "who": "key:0123456789ab",
            "origin": "127.0.0.1",
            "operation": "announce_change",
            "target": "change-1",
            "outcome": 200,
        },
    },
    "0005": {
        "score_labels": {
            "workload": "docker:shop/api",
            "window_start": 1_789_344_000_000_000,
            "kind": "host",
            "value": "n1",
        },
        "coverage": {
            "source": "zeek",
            "host": "",
            "workload": "docker:shop/api",
            "events": 5,
            "first": 1_789_344_000_000_000,
            "last": 1_789_344_600_000_000,
        },
    },
}


def fill(connection: sa.Connection, rows: dict[str, dict[str, Any]]) -> None:
    for name, row in rows.items():
        connection.execute(sa.table(name, *map(sa.column, row)).insert(), row)


def assert_kept(database: Database, rows: dict[str, dict[str, Any]]) -> None:
    """The rows are there, in every column that there still is."""
    with database.reading() as connection:
        assert revision(connection) == HEAD
        for name, row in rows.items():
            kept = [row.keys() & metadata.tables[name].columns.keys()]
            found = connection.execute(sa.select(metadata.tables[name])).mappings().all()
            assert [{key: one[key] for key in kept[0]} for one in found] == [{key: row[key] for key in kept[0]}]


def assert_current(database: Database) -> None:
    """The schema is the one that the tables declare."""
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("with_feedback", [True, False])
def test_a_database_of_before_migrations_is_recognised(tmp_path: Path, *, with_feedback: bool) -> None:
    """Its tables and rows stay, with or without the table of feedback that the last of that time made."""
    rows = ROWS["0001"] if with_feedback else {"scores": ROWS["0001"]["scores"]}
    with closing(sqlite3.connect(tmp_path / "wharfinger.db")) as raw:
        raw.executescript(UNNUMBERED + (FEEDBACK if with_feedback else ""))
        fill_raw = [(f"INSERT INTO {name} VALUES ({','.join('?' * len(row))})", row) for name, row in rows.items()]  # noqa: S608 -- of our own
        for statement, row in fill_raw:
            raw.execute(statement, [*row.values()])
        raw.commit()

    database = connect("", tmp_path)
    database.migrate()

    assert_kept(database, rows)
    assert_current(database)
    database.close()


@pytest.mark.parametrize("start", REVISIONS)
def test_every_revision_with_data_becomes_the_last(address: str, start: str, tmp_path: Path) -> None:
    """A database of any revision, a row in each of its tables, is migrated and keeps them."""
    database = connect(address, tmp_path)
    rows = {name: row for number in REVISIONS if number <= start for name, row in ROWS[number].items()}
    with database.writing() as connection:
        upgrade(connection, start)
        fill(connection, rows)
        made = set(sa.inspect(connection).get_table_names()) - {revision_table.name}

    database.migrate()

    assert made == rows.keys()  # a revision that makes a table brings a row of it
    assert_kept(database, rows)
    database.close()


def test_stored_scores_are_found_by_their_techniques(address: str, tmp_path: Path) -> None:
    """Techniques of scores from before there were labels are read from their bodies, whatever else these hold."""
    reason = Reason(feature="f", value="\0", expected='"technique":"T1"', bits=9.0, technique="T1571", text="\0 é \\")
    bare = Score(
        workload="docker:shop/api",
        window_start="2026-09-14T00:00:00Z",
        window_end="2026-09-14T00:10:00Z",
        score=0.5,
        bits=10.0,
        p_value=2.0**-10,
        severity="low",
        evidence={},
        reasons=[reason, structs.replace(reason, technique="T1071.001"), reason, structs.replace(reason, technique="")],
        baseline=BaselineInfo(level="workload", maturity=1.0, windows=9),
        model="m",
    )
    database, row = connect(address, tmp_path), ROWS["0001"]["scores"]
    with database.writing() as connection:
        upgrade(connection, "0004")
        fill(connection, {"scores": row | {"body": json.encode(bare)}})

    database.migrate()

    with database.reading() as connection:
        found = connection.execute(sa.select(label_table).order_by(label_table.c.value)).all()
    assert found == [
        (row["workload"], row["window_start"], "technique", technique) for technique in ("T1071.001", "T1571")
    ]
    database.close()


def test_migrations_make_what_the_tables_declare(database: Database) -> None:
    """An empty database that was migrated has the declared tables, columns and indices, and no others."""
    assert_current(database)


def test_revisions_are_one_line() -> None:
    """Each revision follows the one numbered before it, and its file is named after its number."""
    found = ScriptDirectory(str(FOLDER)).walk_revisions()

    assert [(one.revision, one.down_revision) for one in found] == list(
        zip(reversed(REVISIONS), [*reversed(REVISIONS[:-1]), None], strict=True)
    )


def test_many_that_start_together_migrate_once(address: str, tmp_path: Path) -> None:
    """Of several that open an empty database at the same moment each finds it migrated."""
    databases = [connect(address, tmp_path) for _ in range(8)]
    barrier, failures = threading.Barrier(len(databases)), []

    def start(database: Database) -> None:
        barrier.wait()
        try:
            database.migrate()
        except Exception as error:  # noqa: BLE001 -- a thread's failure must reach the assertion
            failures.append(error)

    threads = [threading.Thread(target=start, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert_current(databases[0])
    for database in databases:
        database.close()


def test_a_newer_schema_is_refused(database: Database) -> None:
    """A database that a newer version migrated is an error of one line that says what to do, and stays as it was."""
    with database.writing() as connection:
        connection.execute(sa.update(revision_table).values(version_num="9999"))

    with pytest.raises(DatabaseError, match=r"9999.*upgrade wharfinger") as caught:
        database.migrate()

    assert "\n" not in str(caught.value)
    with database.reading() as connection:
        assert revision(connection) == "9999"


def test_a_current_database_needs_no_alembic(tmp_path: Path) -> None:
    """Opening a database that is up to date, as every web worker does, does not import what migrates."""
    Sqlite(tmp_path / "wharfinger.db").migrate()
    program = (
        "import sys; from pathlib import Path; from service.database import Sqlite; import service.app;"
        "Sqlite(Path(sys.argv[1])).migrate(); sys.exit('alembic' in sys.modules)"
    )

    run = subprocess.run([sys.executable, "-c", program, tmp_path / "wharfinger.db"], cwd=ROOT, check=False)

    assert run.returncode == 0


def test_a_new_table_becomes_a_migration(tmp_path: Path) -> None:
    """The command for developers writes a revision that makes the table that was declared."""
    copy = tmp_path / "service"
    subprocess.run(["cp", "-r", ROOT / "service", ROOT / "models", ROOT / "features", tmp_path], check=True)
    with (copy / "tables.py").open("a") as file:
        file.write('\nkey_table = sa.Table("keys", metadata, sa.Column("name", Text, primary_key=True))\n')

    subprocess.run([sys.executable, "-m", "service.migrations", "Keep API keys"], cwd=tmp_path, check=True)
    subprocess.run(
        [
            sys.executable,
            "-c",
            "from pathlib import Path; from service.database import Sqlite; Sqlite(Path('w.db')).migrate()",
        ],
        cwd=tmp_path,
        check=True,
    )

    (written,) = copy.glob(f"migrations/versions/{int(HEAD) + 1:04}_keep_api_keys.py")
    assert "tables.Text()" in written.read_text()
    with closing(sqlite3.connect(tmp_path / "w.db")) as raw:
        assert raw.execute("SELECT count(*) FROM keys").fetchone() == (0,)
