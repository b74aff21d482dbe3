import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from models.scores import Severity
from service.cli import main
from service.cli.rehearsal import show
from service.emulation.scenario import Variant
from service.settings import Settings
from service.validation.rehearsal import Rehearsal, Rehearsed

SMALL = ["--split", "development", "--seeds", "1", "--workloads", "12", "--days", "3", "--flows", "8000", "--quick",
         "--learn-days", "2"]  # fmt: skip


class Fleet(Protocol):
    """What the fixture `fleet` gives."""

    settings: Settings
    version: str


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


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--days", "3", "--learn-days", "3"), 1, "some must be learnt and some watched"),
        (("--output", "/proc/none"), 1, "cannot write into /proc/none"),
        (("--keep", "/proc/none"), 1, "name another folder"),
        (("--model", "x"), 2, "--model needs --own"),
        (("--own", "--learn-days", "3"), 2, "--learn-days is for made-up estates and does not go with --own"),
        (("--own", "--variants", "high,loud"), 2, "'loud' is no variant (choose from low, middle, high, dampened)"),
        (("--own", "--output", "/proc/none"), 1, "cannot write into /proc/none"),
        (("--own",), 1, "run wharfinger refresh first"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path / "home"), "validate", *words])

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == code
    assert line.startswith("wharfinger: ")
    assert told in line


def test_a_full_disk_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("service.jobs.validate.run", full)
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path / "home"), "validate"])

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("wharfinger: the disk is full: free space")


def rehearsed(scenario: str, variant: Variant, severity: Severity, **fields: object) -> Rehearsed:
    known = {"name": "Plain beacon", "workload": "docker:shop/web", "bits": 9.04, "quiet_bits": 3.0, "delay": 12.0,
             "why": "first contact with a.example:80 (2 known)"}  # fmt: skip
    return Rehearsed(scenario=scenario, variant=variant, severity=severity, **known | fields)  # type: ignore[arg-type]


def test_a_rehearsal_is_shown_by_family_and_summed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    silent = rehearsed("D10", "high", "none", bits=0.0, delay=None, why="")
    loud, quieter = rehearsed("N01", "high", "critical"), rehearsed("N01", "dampened", "medium", delay=None)

    show(
        Rehearsal(
            model="m1", since="2026-09-07T00:00:00Z", until="2026-09-08T00:00:00Z", learnt=False, alerts=2, workloads=3,
            unseen=("dns",), unplayed=("C01: no chains", "C02: no chains"),
            scenarios=(silent, loud, quieter),
        )
    )  # fmt: skip

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "Network: 1 of 2 reach high" in lines
    assert "N01 Plain beacon high docker:shop/web critical 9.0 3.0 12 min first contact with a.example:80" in lines
    assert "N01 Plain beacon dampened docker:shop/web medium 9.0 3.0 first contact with a.example:80" in lines
    assert any(line.startswith("2 real alerts") for line in lines)
    assert "left out, for this lake has none of it: dns" in lines
    assert "no chains: C01, C02" in lines
    assert "high 2 1 (50%) 1 (50%) 1 (50%) 1 (50%)" in lines
    assert "dampened 1 0 (0%) 0 (0%) 1 (100%) 1 (100%)" in lines
    assert "no severity at all: D10 high" in lines


@pytest.mark.slow
def test_an_own_day_is_rehearsed_and_the_report_stored(fleet: Fleet, tmp_path: Path) -> None:
    told = validate(fleet.settings.home, "--own", "--variants", "high", "--format", "json", "--output", str(tmp_path))

    assert told.returncode == 0, told.stderr
    assert (tmp_path / "rehearsal.json").read_text() == told.stdout
    report = json.loads(told.stdout)
    assert report["model"] == fleet.version
    assert report["alerts"] == 1
    assert len({row["scenario"] for row in report["scenarios"]}) > 30
    assert {row["variant"] for row in report["scenarios"]} == {"high"}
