"""`wharfinger keys`, in this process."""

from pathlib import Path
from typing import Any

import pytest

from service.access.keys import PATTERN
from service.cli import main
from service.settings import Settings
from service.wiring import open_home


@pytest.fixture
def wharfinger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run the command line on an empty home."""
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["keys", *words])
        written = capfd.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run


def test_a_key_is_printed_once(wharfinger: Any, tmp_path: Path) -> None:
    """`create` prints the key to standard output; `list` shows its prefix, scopes and state, and never the key."""
    code, shown, told = wharfinger("create", "ci", "--scope", "score", "--scope", "read", "--days", "30")
    key = shown.strip()
    listed = wharfinger("list")[1]

    assert code == 0
    found = PATTERN.fullmatch(key)
    assert found is not None
    assert found[1] in told
    assert key not in told
    assert listed.splitlines()[1].split()[:5] == [found[1], "ci", "score", "read", "active"]
    assert key.split("_", 2)[2] not in listed
    assert key.split("_", 2)[2].encode() not in (tmp_path / "wharfinger.db").read_bytes()


def test_a_key_is_revoked_once(wharfinger: Any) -> None:
    """`revoke` ends a key and says so; what cannot be revoked is one line that says where to look."""
    key = wharfinger("create", "ci", "--scope", "read")[1].strip()
    prefix = key.split("_")[1]

    assert wharfinger("revoke", prefix)[:2] == (0, f"{prefix} is revoked\n")
    assert "revoked" in wharfinger("list")[1]
    for name in (prefix, "none"):
        code, out, err = wharfinger("revoke", name)
        assert (code, out) == (1, "")
        assert "wharfinger keys list" in err


def test_making_and_revoking_keys_is_audited(wharfinger: Any, tmp_path: Path) -> None:
    """Who made or revoked a key on the command line stands in the audit log, with the prefix alone."""
    key = wharfinger("create", "ci", "--scope", "read")[1].strip()
    wharfinger("revoke", key.split("_")[1])

    home = open_home(Settings.load(tmp_path, {}))
    records = home.audit.records(limit=10)
    home.database.close()
    assert [(one.operation, one.target) for one in records] == [
        ("revoke_key", key.split("_")[1]),
        ("create_key", key.split("_")[1]),
    ]
    assert {one.origin for one in records} == {"command line"}


@pytest.mark.parametrize("words", ["", "--scope root", "--scope read --days 0"])
def test_a_key_needs_a_scope_and_a_future(wharfinger: Any, words: str) -> None:
    """A key without scope, with one that there is not, or that expired before it was made, is refused."""
    assert wharfinger("create", "ci", *words.split())[0] == 2
    assert "no keys yet" in wharfinger("list")[1]
