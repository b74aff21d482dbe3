"""`wharfinger database`, on either dialect."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.migrations import HEAD


@pytest.fixture
def wharfinger(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the command line in this process on an empty home and an empty database."""
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", address)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        written = capfd.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run


def test_a_database_is_migrated_shown_and_swept(wharfinger: Any, address: str) -> None:
    """After `migrate` the state is that of this version, tables are counted, and `vacuum` runs."""
    assert wharfinger("database", "migrate")[0] == 0

    code, out, err = wharfinger("database", "status")

    assert (code, err) == (0, "")
    assert f"schema {HEAD}, " in out
    assert address.rpartition("/")[2].partition("?")[0] in out
    assert [line.split()[-1] for line in out.splitlines() if line.split()[0] in ("scores", "feedback")] == ["0", "0"]
    assert wharfinger("database", "vacuum")[0] == 0


def test_a_backup_is_made_and_restored(wharfinger: Any, tmp_path: Path) -> None:
    """`backup` writes a file, `restore` reads it back."""
    code, out, _ = wharfinger("database", "backup", str(tmp_path / "new" / "b.db"))
    assert (code, "MB" in out) == (0, True)

    code, out, _ = wharfinger("database", "restore", str(tmp_path / "new" / "b.db"))
    assert (code, "0 rows restored" in out) == (0, True)


def test_status_tells_of_a_schema_that_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`status` says what is pending and changes nothing, and says so when there is no database at all."""
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path))
    with pytest.raises(SystemExit, match="1"):
        main(["database", "status"])
    assert "there is no database" in capfd.readouterr().err
    assert [*tmp_path.iterdir()] == []

    with closing(sqlite3.connect(tmp_path / "wharfinger.db")) as raw:
        raw.execute("CREATE TABLE meta (key)")
    with pytest.raises(SystemExit):
        main(["database", "status"])

    assert f"of before migrations, this version needs {HEAD}" in capfd.readouterr().out


@pytest.mark.parametrize(
    "address", ["postgresql://me:hunter2@127.0.0.1:1/w", "postgresql://me:hunter2@[", "sqlite://", "sqlite:///no/w.db"]
)
@pytest.mark.parametrize("words", [("status",), ("migrate",)])
def test_a_database_that_cannot_be_opened_is_one_line(
    address: str,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whatever is wrong with the address is told in one line, which does not repeat the password."""
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path))
    monkeypatch.setenv("WHARFINGER_DATABASE_URL", address)

    with pytest.raises(SystemExit, match="1"):
        main(["database", *words])

    (line,) = capfd.readouterr().err.splitlines()
    assert "database" in line
    assert "unexpected" not in line
    assert "hunter2" not in line
