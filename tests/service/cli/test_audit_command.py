"""`wharfinger audit`, in this process."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.access.audit import AuditRecord
from service.cli import main
from service.settings import Settings
from service.wiring import open_home

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)


def test_rows_are_listed_from_a_time_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The newest come first, as many as asked for in a table and all of them as NDJSON; `--since` leaves older out."""
    monkeypatch.setenv("WHARFINGER_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    home = open_home(Settings.load(tmp_path, {}))

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["audit", *words])
        assert not ended.value.code
        return capfd.readouterr().out

    assert run() == "nothing was changed yet\n"
    for hours in range(60):
        at, target = NOON + timedelta(hours=hours), f"/v1/changes/{hours}"
        row = AuditRecord(at=at, who="key:ab", origin="::1", operation="add_change", target=target, outcome=200)
        home.audit.add(row)
    home.database.close()

    table = run("--limit", "2").splitlines()
    assert [line.split()[5] for line in table[1:]] == ["/v1/changes/59", "/v1/changes/58"]
    rows = [json.loads(line) for line in run("--format", "ndjson").splitlines()]
    assert [row["target"] for row in rows] == [f"/v1/changes/{hours}" for hours in reversed(range(60))]
    assert rows[0]["from"] == "::1"
    late = run("--format", "ndjson", "--since", "2026-09-16T22:00:00Z").splitlines()
    assert len(late) == 2
    assert run("--since", "2027-01-01") == "nothing was changed since then\n"
