import json
import re
from pathlib import Path

import pytest

from service.emulation.scenario import Scenario, Victim
from service.emulation.splits import Split
from service.emulation.sweeps import Cell, sweeps
from service.jobs.validate import Plan, validate
from service.validation.files import JSON, LAYER, PAGE, name_of, store
from service.validation.measures import measure
from service.validation.navigator import layer
from service.validation.page import page
from service.validation.report import Condition, Report, ScenarioRow, Setting
from service.validation.sweeping import matrices
from tests.validation.made_up import attack, quiet, scored, trial

SETTING = Setting(split="development", seeds=(1,), workloads=100, days=4, learn_days=2, flows=0, budget=1.0)


def report(**more: object) -> Report:
    windows = [(name, hour, 15.0 if hour == 5.0 and name.endswith("w000") else 1.0) for name, hour, _ in quiet(20, 2)]
    told = trial(scored(windows), [attack(1, "docker:shop/w000", 5.0, 5.2)])
    return measure([told], SETTING, ["N01"], **more)  # type: ignore[arg-type]


def row(scenario: str, caught: int, runs: int, *techniques: str) -> ScenarioRow:
    return ScenarioRow(
        scenario=scenario, name="", variant="high", techniques=techniques, blind="", runs=runs,
        caught=(0, caught, runs), bits=1.0, delay=None, rank=1, reasons=(0,), above=None, above_share=None, why="",
    )  # fmt: skip


def test_a_layer_scores_a_technique_by_the_runs_caught() -> None:
    told = json.loads(layer([row("N01", 1, 2, "T1071.001"), row("N02", 2, 2, "T1071.001", "T1001.003")], "x"))

    assert {t["techniqueID"]: t["score"] for t in told["techniques"]} == {"T1071.001": 75, "T1001.003": 100}
    assert told["versions"] == {"attack": "18", "navigator": "5.1.0", "layer": "4.5"}
    assert told["domain"] == "enterprise-attack"


def test_the_page_is_one_file_without_scripts_or_fetches() -> None:
    dark = Condition(name="dark", meaning="none", windows=0, threshold=None, caught=0, full=0, lost=("N01",))
    full = page(report(conditions=[dark]))

    assert "<script" not in full
    assert not re.search(r"""(src|href)=|url\(|@import""", full)
    assert full.count("<svg") == 3
    assert "Plain beacon" in full


def test_the_page_escapes_what_comes_from_telemetry() -> None:
    full = page(report(unplayed=["<b>a & b</b>"]))

    assert "<b>a & b</b>" not in full
    assert "&lt;b&gt;a &amp; b&lt;/b&gt;" in full


def test_files_are_written_and_named_after_their_content(tmp_path: Path) -> None:
    told = report()
    store(told, tmp_path / "made")

    assert {path.name for path in (tmp_path / "made").iterdir()} == {JSON, PAGE, LAYER}
    assert (tmp_path / "made" / JSON).read_bytes() == told.to_json()
    assert name_of(told) == name_of(report())
    assert name_of(told) != name_of(report(unplayed=["something"]))


def cell(period: float, count: int) -> Cell:
    scenario = Scenario(id="N01", name="", summary="", techniques=("T1071.001",), victim=Victim())
    return Cell(sweep="beacon", axes=(("period", period), ("check-ins", count)), scenario=scenario, seconds=1.0)


def test_cells_of_a_sweep_stand_side_by_side() -> None:
    cells = [cell(10.0, 5), cell(10.0, 20), cell(3600.0, 5), cell(3600.0, 20)]

    (matrix,) = matrices(cells, {cells[0].name: (True, 9.0), cells[2].name: (False, 2.0)}, {cells[3].name: "too long"})

    assert (matrix.rows, matrix.columns) == (("10 s", "1 h"), ("5", "20"))
    assert [(c.row, c.column, c.caught, c.bits, c.note) for c in matrix.cells] == [
        ("10 s", "5", True, 9.0, ""),
        ("10 s", "20", None, None, ""),
        ("1 h", "5", False, 2.0, ""),
        ("1 h", "20", None, None, "too long"),
    ]


def test_every_cell_of_the_catalogue_has_a_place() -> None:
    found = matrices(sweeps(), {}, {})

    assert sum(len(sweep.cells) for sweep in found) == len(sweeps())
    for sweep in found:
        assert sweep.meaning
        assert len({(c.row, c.column) for c in sweep.cells}) == len(sweep.cells)


@pytest.mark.slow
def test_the_same_estates_give_the_same_bytes_and_leave_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    plan = Plan(split=Split.DEVELOPMENT, seeds=1, workloads=12, days=3, learn_days=2, flows=8_000, quick=True)
    steps: list[str] = []

    first, second = (validate(plan, progress=lambda step, _: steps.append(step)).report for _ in range(2))

    assert first.to_json() == second.to_json()
    assert first.outcomes
    assert {"estate 1 of 1: simulate", "estate 1 of 1: ingest", "judge", "done"} <= set(steps)
    assert not list(tmp_path.iterdir())
    assert str(tmp_path).encode() not in first.to_json()
