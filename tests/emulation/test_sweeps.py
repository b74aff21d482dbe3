"""The sweeps are complete, can be played, and take the time they say."""

from collections import Counter

import numpy as np
import pytest

from service.emulation.estate.speaking import beat
from service.emulation.steps import Beacon, Upload
from service.emulation.sweeps import Cell, fitting, sweeps

CELLS = sweeps()


def test_every_combination_is_there_once() -> None:
    assert Counter(cell.sweep for cell in CELLS) == {
        "beacon": 60, "exfiltration": 4, "dns": 3, "pull to run": 3, "replicas": 3, "time of day": 2,
    }  # fmt: skip
    assert len({cell.name for cell in CELLS}) == len(CELLS)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_a_cell_is_over_when_it_says(cell: Cell) -> None:
    steps = cell.scenario.played("middle")

    assert steps
    assert {getattr(step, "to", "site") for step in steps} == {"site"}
    for step in steps:
        repeats = max(getattr(step, "count", 1) - 1, 0) * getattr(step, "every", 0.0)
        assert step.at + max(getattr(step, "lasting", 0.0), repeats) <= cell.seconds


@pytest.mark.parametrize("cell", [c for c in CELLS if c.sweep == "beacon"], ids=lambda cell: cell.name)
def test_a_beacon_checks_in_about_as_often_as_its_cell_says(cell: Cell) -> None:
    (step,) = cell.scenario.played("middle")
    assert isinstance(step, Beacon)
    wanted = dict(cell.axes)["check-ins"]
    rng = np.random.default_rng(7)

    counts = [len(beat(rng, 0.0, step.lasting, step.period, step.jitter)) for _ in range(200)]

    assert np.mean(counts) == pytest.approx(wanted, rel=0.05, abs=0.6)


def test_an_exfiltration_sends_what_its_cell_says() -> None:
    for cell in (c for c in CELLS if c.sweep == "exfiltration"):
        (step,) = cell.scenario.played("middle")
        assert isinstance(step, Upload)
        assert step.sent * 3600 / step.every == pytest.approx(float(dict(cell.axes)["MB an hour"]) * 1e6)


def test_cells_longer_than_the_estate_are_told() -> None:
    played, left_out = fitting(CELLS, 2 * 86_400)

    assert len(played) + len(left_out) == len(CELLS)
    assert "beacon: period 21600.0, jitter 0.2, check-ins 100" in {cell.name for cell in left_out}
    assert "pull to run: delay 3 d" in {cell.name for cell in left_out}
    assert max(cell.seconds for cell in played) <= 2 * 86_400
