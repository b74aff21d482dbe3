import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["--split", "development", "--seeds", "1", "--workloads", "12", "--days", "3", "--flows", "8000", "--quick",
         "--learn-days", "2"]  # fmt: skip


def validate(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "--home", str(home), "validate", *words]
    environment = os.environ | {"TMPDIR": str(home.parent), "COLUMNS": "200"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_validate_reports_and_ends_as_its_verdict_says(tmp_path: Path) -> None:
    home = tmp_path / "home"

    shown = validate(home, *SMALL)
    told = validate(home, *SMALL, "--format", "json", "--output", str(tmp_path / "out"))

    report = json.loads(told.stdout)
    assert (shown.returncode, told.returncode) == ((0, 0) if report["passed"] else (1, 1)), shown.stderr
    (folder,) = (home / "validation").iterdir()
    assert {path.name for path in folder.iterdir()} == {"report.json", "report.html", "navigator.json"}
    assert (folder / "report.json").read_text() == told.stdout == (tmp_path / "out" / "report.json").read_text()
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("Validation PASSED" if report["passed"] else "Validation FAILED")
    for scenario in report["scenarios"]:
        assert any(line.startswith(f"{scenario['scenario']} ") and scenario["name"] in line for line in lines)
    assert f"Report: {folder / 'report.html'}" in shown.stdout
    assert not list(tmp_path.glob("wharfinger-validate-*"))


def test_validate_asks_for_a_day_to_watch(tmp_path: Path) -> None:
    told = validate(tmp_path / "home", "--days", "3", "--learn-days", "3")

    assert told.returncode == 1
    assert "some must be learnt and some watched" in told.stderr
