import json
from pathlib import Path

import pytest

from models.scores import BaselineInfo, Score, Severity
from service.jobs.demo import bundled_sample, findings, load_sample, outcomes
from service.jobs.errors import JobError

ATTACK = {"id": "T1", "scenario": "N11", "technique": "T1095", "workload": "docker:shop/db", "host": "n1", "note": "x"}
BENIGN = {"id": "B1", "kind": "backup", "workload": "docker:shop/backup", "host": "n1"}


def window(workload: str, hour: int, bits: float, severity: Severity) -> Score:
    return Score(
        workload=workload,
        window_start=f"2026-11-02T{hour:02}:00:00Z",
        window_end=f"2026-11-02T{hour:02}:10:00Z",
        score=bits / (bits + 10),
        bits=bits,
        p_value=2**-bits,
        severity=severity,
        evidence={},
        reasons=[],
        baseline=BaselineInfo(level="workload", maturity=1.0, windows=100),
        model="m",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    span = {"start": "2026-11-02T10:03:00Z", "end": "2026-11-02T10:30:00Z"}
    late = {"start": "2026-11-02T14:00:00Z", "end": "2026-11-02T14:30:00Z", "id": "T2", "scenario": "D10"}
    (tmp_path / "truth.json").write_text(json.dumps([ATTACK | span, ATTACK | late]))
    (tmp_path / "benign.json").write_text(json.dumps([BENIGN | span]))
    (tmp_path / "events.ndjson").write_text("{}\n")
    return tmp_path


def test_findings_are_named_after_what_was_done(folder: Path) -> None:
    """Runs of strange windows are ranked by strength and carry the attack, or else the benign work, they show."""
    scores = [
        window("docker:shop/db", 10, 20.0, "critical"),
        window("docker:shop/backup", 10, 12.0, "high"),
        window("docker:shop/web", 10, 9.0, "medium"),
        window("docker:shop/web", 12, 0.5, "none"),
    ]

    ranked = findings(scores, load_sample(folder))

    assert [(f.rank, f.alert.workload, f.titles, f.attack) for f in ranked] == [
        (1, "docker:shop/db", ["N11 T1095"], True),
        (2, "docker:shop/backup", ["backup"], False),
        (3, "docker:shop/web", [], False),
    ]


def test_outcomes_tell_found_from_missed(folder: Path) -> None:
    """An attack is found if a window that shows it alerts; another one of the same workload does not count for it."""
    sample = load_sample(folder)
    scores = [window("docker:shop/db", 10, 20.0, "critical"), window("docker:shop/db", 14, 0.5, "none")]

    told = outcomes(scores, sample, findings(scores, sample))

    assert [(o.act.scenario, o.found, o.rank) for o in told] == [("N11", True, 1), ("D10", False, None)]


def test_split_is_the_window_of_the_first_attack(folder: Path) -> None:
    """What is learnt ends before the window in which the first attack begins."""
    assert load_sample(folder).split.strftime("%Y-%m-%dT%H:%M:%S") == "2026-11-02T10:00:00"


def test_spoilt_sample_is_one_clear_error(folder: Path) -> None:
    """A truth that cannot be read names the folder and what to do."""
    (folder / "truth.json").write_text("{")

    with pytest.raises(JobError, match="reinstall"):
        load_sample(folder)


def test_bundled_sample_is_complete() -> None:
    """The sample that ships has telemetry of every kind, attacks, and benign work beside them."""
    sample = load_sample(bundled_sample())

    assert {"conn", "dns", "events", "http", "inspect", "registry", "ssl"} <= {
        p.name.split(".")[0] for p in sample.files
    }
    assert len(sample.attacks) >= 10
    assert sample.lookalikes
    assert all(act.scenario and act.technique.startswith("T") for act in sample.attacks)
