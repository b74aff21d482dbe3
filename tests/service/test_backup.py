"""Backups go from any dialect to any other, whole or not at all."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.scores import BaselineInfo, Score
from service.backup import BackupError, back_up, copy_rows, restore
from service.database import Database, Sqlite
from service.feedback import FeedbackStore
from service.migrations import revision_table
from service.statements import Change
from service.storage import ScoreStore

START = datetime(2026, 9, 14, tzinfo=UTC)
CHANGE = Change(id="change-1", workload="docker:shop/*", since=START, until=START, by="ci")


def a_score(number: int) -> Score:
    return Score(
        workload=f"docker:shop/é{number}",
        window_start="2026-09-14T00:00:00Z",
        window_end="2026-09-14T00:10:00Z",
        score=0.5,
        bits=10.0,
        p_value=2.0**-10,
        severity="low",
        evidence={},
        reasons=[],
        baseline=BaselineInfo(level="workload", maturity=0.5, windows=10),
        model="m1",
    )


SCORES = [a_score(number) for number in range(5000)]


@pytest.fixture
def filled(database: Database) -> Database:
    """A database with more scores than are copied at a time, and a change."""
    ScoreStore(database).replace(SCORES)
    FeedbackStore(database).add(CHANGE)
    return database


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database."""
    with closing(Sqlite(tmp_path / "other.db")) as other:
        other.migrate()
        yield other


def stored(database: Database) -> tuple[int, list[Change]]:
    return sum(row["windows"] for row in ScoreStore(database).workloads()), FeedbackStore(database).statements(Change)


def test_a_backup_comes_back(filled: Database, tmp_path: Path) -> None:
    """What was there when it was made is there again, and what came later is gone."""
    back_up(filled, tmp_path / "b.db")
    FeedbackStore(filled).withdraw(Change, CHANGE.id)
    ScoreStore(filled).replace([a_score(9999)])

    assert restore(filled, tmp_path / "b.db", replace=True) == 5001

    assert stored(filled) == (5000, [CHANGE])
    assert ScoreStore(filled).get(SCORES[7].workload, START) == SCORES[7]


def test_a_backup_moves_to_another_dialect(
    filled: Database, other: Database, database: Database, tmp_path: Path
) -> None:
    """Rows go from either dialect to SQLite, and from there back into either."""
    back_up(filled, tmp_path / "b.db")
    restore(other, tmp_path / "b.db")
    assert stored(other) == (5000, [CHANGE])

    back_up(other, tmp_path / "c.db")
    restore(database, tmp_path / "c.db", replace=True)
    assert stored(database) == (5000, [CHANGE])


def test_a_backup_is_one_private_file(filled: Database, tmp_path: Path) -> None:
    """Nothing lies beside it, only its owner reads it, and one that is there already is not overwritten."""
    folder = tmp_path / "backups"
    folder.mkdir()

    back_up(filled, folder / "b.db")

    assert [path.name for path in folder.iterdir()] == ["b.db"]
    assert stat.S_IMODE((folder / "b.db").stat().st_mode) == 0o600
    with pytest.raises(BackupError, match="another file"):
        back_up(filled, folder / "b.db")


def test_a_backup_is_of_one_moment(filled: Database, tmp_path: Path) -> None:
    """What a writer has not committed yet is not in it, and neither waits for the other."""
    with filled.writing() as connection:
        connection.execute(sa.text("DELETE FROM feedback"))
        back_up(filled, tmp_path / "b.db")

    with closing(sqlite3.connect(tmp_path / "b.db")) as raw:
        assert raw.execute("SELECT count(*) FROM feedback").fetchone() == (1,)
    assert stored(filled)[1] == []


def test_rows_are_lost_only_when_that_is_said(filled: Database, tmp_path: Path) -> None:
    """A database with rows is not restored into, unless they may be replaced."""
    back_up(filled, tmp_path / "b.db")
    FeedbackStore(filled).withdraw(Change, CHANGE.id)

    with pytest.raises(BackupError, match="--replace"):
        restore(filled, tmp_path / "b.db")

    assert stored(filled) == (5000, [])


def test_a_restore_that_fails_changes_nothing(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is stopped half-way, every row of before is there."""
    back_up(filled, tmp_path / "b.db")

    def stop(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("service.backup.copy_rows", stop)
    with pytest.raises(KeyboardInterrupt):
        restore(filled, tmp_path / "b.db", replace=True)

    assert stored(filled) == (5000, [CHANGE])


def test_what_is_no_backup_is_refused(filled: Database, other: Sqlite, tmp_path: Path) -> None:
    """Text, another program's database, a damaged or a newer file: one line that names it, and nothing changes."""
    (tmp_path / "text").write_text("telemetry " * 1000)
    with closing(sqlite3.connect(tmp_path / "foreign")) as raw:
        raw.execute("CREATE TABLE bookmarks (id)")
    back_up(filled, tmp_path / "damaged")
    with (tmp_path / "damaged").open("rb+") as file:
        file.seek(8192)
        file.write(b"\xff" * 8192)
    with other.writing() as connection:
        connection.execute(sa.update(revision_table).values(version_num="9999"))
    back_up(other, tmp_path / "newer")

    for name, told in {"text": "no backup", "foreign": "no backup", "damaged": "another file", "newer": "9999"}.items():
        with pytest.raises(BackupError, match=told) as caught:
            restore(filled, tmp_path / name, replace=True)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert stored(filled) == (5000, [CHANGE])


def test_numbers_go_on_after_a_restore(database: Database, other: Database) -> None:
    """A row added after numbered rows were copied in gets the next number, not one that is taken."""
    metadata = sa.MetaData()
    table = sa.Table("numbered", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String))
    for one in (database, other):
        with one.writing() as connection:
            metadata.create_all(connection)
    with other.writing() as connection:
        connection.execute(table.insert(), [{"text": text} for text in "abc"])

    with other.reading() as source, database.writing() as target:
        copy_rows(source, target, [table])
        database.count_on(target, [table])
    with database.writing() as connection:
        added = connection.execute(table.insert().values(text="d")).inserted_primary_key

    assert added == (4,)


def test_room_of_expired_scores_is_given_back(filled: Database) -> None:
    """A SQLite file shrinks as scores expire; a database of either dialect can be vacuumed."""
    before = filled.size()
    ScoreStore(filled).expire(datetime(2027, 1, 1, tzinfo=UTC))
    filled.vacuum()

    assert filled.size() < before
    assert stored(filled) == (0, [CHANGE])


def test_a_file_of_before_shrinks_once_vacuumed(tmp_path: Path) -> None:
    """A file made when free pages were kept learns to give them back."""
    with closing(sqlite3.connect(tmp_path / "w.db")) as raw:
        raw.execute("CREATE TABLE meta (key)")
    with closing(Sqlite(tmp_path / "w.db")) as database:
        database.migrate()
        store = ScoreStore(database)
        store.replace(SCORES)
        store.expire(datetime(2027, 1, 1, tzinfo=UTC))
        kept = free_pages(tmp_path / "w.db")
        database.vacuum()
        store.replace(SCORES)
        store.expire(datetime(2027, 1, 1, tzinfo=UTC))

    assert kept > 100
    assert free_pages(tmp_path / "w.db") == 0


def free_pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute("PRAGMA freelist_count").fetchone()[0])
