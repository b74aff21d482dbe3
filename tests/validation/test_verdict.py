from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.emulation.scenario import library
from service.strategies import claimed, claims
from service.validation.measures import measure
from service.validation.report import Gate, Report, Setting
from service.validation.trial import Trial, act_of
from tests.validation.made_up import attack, quiet, scored, trial

pytestmark = pytest.mark.slow

SETTING = Setting(split="development", seeds=(1,), workloads=30, days=3, learn_days=2, flows=30_000, budget=1.0)
Detector = Callable[[Trial], NDArray[np.float64]]


def constant(told: Trial) -> NDArray[np.float64]:
    return np.full(len(told.scored), 12.0)


def random(told: Trial) -> NDArray[np.float64]:
    return np.random.default_rng(7).exponential(2.0, len(told.scored))


def shuffled(told: Trial) -> NDArray[np.float64]:
    """Deal real scores out to windows: everything is right about them but where they lie."""
    return np.random.default_rng(7).permutation(told.scored.bits)


def blind_to_workloads(told: Trial) -> NDArray[np.float64]:
    """Give every window the strongest score of its time, whoever's it is."""
    _, slots = np.unique(told.scored.start, return_inverse=True)
    strongest = np.zeros(slots.max() + 1)
    np.maximum.at(strongest, slots, told.scored.bits)
    return strongest[slots]


def alarming(told: Trial) -> NDArray[np.float64]:
    """Find every attack, and cry at ten times as much beside it."""
    random = np.random.default_rng(7)
    return np.where(told.judge.true | (random.random(len(told.scored)) < 0.05), 20 + random.random(len(told.scored)), 1)


def gate(report: Report, name: str) -> Gate:
    return next(gate for gate in report.gates if gate.name == name)


def judged(told: Trial, bits: NDArray[np.float64]) -> Report:
    return measure([Trial(told.labels, told.scored.with_bits(bits), told.thresholds)], SETTING)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [constant, random, shuffled, blind_to_workloads, alarming])
def test_a_broken_detector_fails(real: Trial, broken: Detector) -> None:
    report = judged(real, broken(real))

    assert not report.passed
    assert not gate(report, "beats chance").passed


@pytest.mark.slow
def test_the_detector_itself_beats_chance(real: Trial) -> None:
    """What fails the broken ones is not a condition that nothing can meet."""
    report = judged(real, real.scored.bits)

    assert gate(report, "beats chance").passed, gate(report, "beats chance").found


@pytest.mark.slow
def test_a_perfect_detector_passes(real: Trial) -> None:
    told = np.where(real.judge.true, 20.0, 1.0)

    assert judged(real, told).passed
    assert all(real.judge.caught(act_of(attack), -1.0) for attack in real.attacks)


def spotless(**more: object) -> Trial:
    strange = ("docker:shop/w000", 5.0)
    windows = [(name, hour, 20.0 if (name, hour) == strange else bits) for name, hour, bits in quiet(100, 2)]
    return trial(scored(windows), [attack(1, "docker:shop/w000", 5.0, 5.2, **more)])


def test_what_is_claimed_must_be_played_and_must_fire() -> None:
    fires = measure([spotless()], SETTING, ["N01"])
    unplayed = measure([spotless()], SETTING, ["N01", "E04"])
    dampened = measure([spotless(variant="dampened")], SETTING, ["N01"])

    assert gate(fires, "claimed scenarios fire").passed
    assert fires.passed
    assert "not played: E04" in gate(unplayed, "claimed scenarios fire").found
    assert not unplayed.passed
    assert not dampened.passed


def test_a_silent_claim_fails_the_verdict() -> None:
    silent = trial(scored(quiet(100, 2)), [attack(1, "docker:shop/w000", 5.0, 5.2)])

    report = measure([silent], SETTING, ["N01"])

    assert "silent: N01" in gate(report, "claimed scenarios fire").found
    assert not report.passed


def test_too_many_high_alerts_fail_the_verdict() -> None:
    """Ten false ones a day where one was promised, though every attack stands above them."""
    loud = {(f"docker:shop/w{n:03d}", 7.0) for n in range(10, 30)}
    windows = [
        (name, hour, 30.0 if (name, hour) == ("docker:shop/w000", 5.0) else 11.0 if (name, hour) in loud else bits)
        for name, hour, bits in quiet(100, 2)
    ]
    report = measure([trial(scored(windows), [attack(1, "docker:shop/w000", 5.0, 5.2)])], SETTING)

    assert [gate.name for gate in report.gates if not gate.passed] == ["high keeps its budget"]


def test_claims_are_read_from_the_pages(tmp_path: Path) -> None:
    (tmp_path / "network.md").write_text(
        "# ADS\n\nN20 is hard.\n\nFires in continuous validation: N01,\nN03, C01.\n\nE01\n"
    )
    (tmp_path / "control.md").write_text("Fires in continuous validation: E04\n")

    assert claims("nothing is claimed of N01") == ()
    assert claimed((tmp_path / "absent", tmp_path)) == ("C01", "E04", "N01", "N03")


def test_pages_claim_only_scenarios_that_there_are() -> None:
    assert set(claimed()) <= set(library())
