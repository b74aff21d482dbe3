import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.calibration import TailCalibration
from models.errors import ArtefactError

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

PROMISED = 1e-3
FLEET = np.array(["fleet"])


def cohort_of(scores: Floats) -> NDArray[np.str_]:
    return np.repeat(FLEET, len(scores))


def realised(calibration: TailCalibration, scores: Floats) -> float:
    """Return the share of scores that are promised to be as rare as `PROMISED`, as a multiple of it."""
    return float(np.mean(calibration.bits(scores, cohort_of(scores)) >= -np.log2(PROMISED))) / PROMISED


def untouched(scores: Floats, _: np.random.Generator) -> Floats:
    return scores


def mean_rate(
    draw: Draw, spoil: Callable[[Floats, np.random.Generator], Floats] = untouched, n: int = 20_000, seeds: int = 8
) -> float:
    rates = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        learnt = spoil(draw(rng, n), rng)
        rates.append(realised(TailCalibration.fit(learnt, cohort_of(learnt)), draw(rng, 200_000)))
    return float(np.mean(rates))


def exponential(rng: np.random.Generator, n: int) -> Floats:
    return rng.exponential(size=n)


def two_strongest(rng: np.random.Generator, n: int) -> Floats:
    evidence = rng.exponential(1.44, (n, 8)) * (rng.random((n, 8)) < 0.5)
    return np.asarray(np.sort(evidence, axis=1)[:, -2:].sum(axis=1))


def normal(rng: np.random.Generator, n: int) -> Floats:
    return rng.normal(0.45, 0.03, n)


def log_normal(rng: np.random.Generator, n: int) -> Floats:
    return rng.lognormal(0, 0.5, n)


def contaminate(scores: Floats, rng: np.random.Generator) -> Floats:
    """Replace 1 % of the scores by anomalies, from the strongest normal one in a thousand to three times that."""
    dirty = scores.copy()
    strong = np.quantile(scores, 0.999) - np.median(scores)
    dirty[: len(dirty) // 100] = np.median(scores) + strong * rng.uniform(0.8, 3.0, len(dirty) // 100)
    return dirty


@pytest.mark.parametrize(
    ("draw", "least", "most"),
    [(exponential, 0.8, 1.4), (two_strongest, 0.6, 1.4), (normal, 0.25, 1.0), (log_normal, 1.0, 2.2)],
)
def test_promised_rate_is_realised_on_independent_scores(draw: Draw, least: float, most: float) -> None:
    """One in a thousand is so for exponential tails, fewer for light tails, up to twice for heavy."""
    assert least <= mean_rate(draw) <= most


@pytest.mark.parametrize("draw", [exponential, two_strongest])
def test_promised_rate_is_near_on_autocorrelated_scores(draw: Draw) -> None:
    """Every score repeated ten times in a row leaves the mean rate within a factor of two."""
    rate = mean_rate(lambda rng, n: np.repeat(draw(rng, n // 10), 10))
    assert 0.5 <= rate <= 2.0


@pytest.mark.parametrize(("draw", "least"), [(exponential, 0.35), (two_strongest, 0.15), (log_normal, 0.5)])
def test_one_per_cent_of_anomalies_does_not_blind(draw: Draw, least: float) -> None:
    """With 1 % anomalies in the training span alerts become rarer than promised, yet do not vanish."""
    assert least <= mean_rate(draw, contaminate) <= 2.0


def test_noisy_cohorts_are_damped_and_quiet_ones_not_amplified() -> None:
    """A cohort of greater spread stays within six times the promised rate; a quieter one never exceeds it."""
    rng = np.random.default_rng(5)
    names = np.repeat(["ci", "db", "web"], 10_000)
    level, spread = np.repeat([[5.0, 0.0, 1.0], [3.0, 0.2, 1.0]], 10_000, axis=1)
    calibration = TailCalibration.fit(level + spread * rng.exponential(size=30_000), names)
    bits = calibration.bits(level + spread * rng.exponential(size=30_000), names)
    rates = {name: np.mean(bits[names == name] >= -np.log2(PROMISED)) / PROMISED for name in ("ci", "db", "web")}
    assert 0.4 <= rates["ci"] <= 6
    assert max(rates["db"], rates["web"]) <= 1


def test_tail_goes_on_beyond_the_largest_score() -> None:
    """A score ten times the largest one seen has more bits than a score twice the largest, without end."""
    scores = np.random.default_rng(1).exponential(size=5_000)
    calibration = TailCalibration.fit(scores, cohort_of(scores))
    twice, ten_times, far = calibration.bits(scores.max() * np.array([2, 10, 1e6]), np.repeat(FLEET, 3))
    assert 14 < twice < ten_times < far
    assert far > 1e6


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=300),
    st.lists(st.floats(-1e3, 1e6), min_size=2, max_size=50),
    st.sampled_from(["a", "b", "never seen"]),
)
def test_bits_never_fall_as_the_score_rises(learnt: list[float], asked: list[float], cohort: str) -> None:
    """Within a cohort bits are at least 0, finite and monotone, whatever was learnt."""
    calibration = TailCalibration.fit(np.array(learnt), np.array(["a", "b"])[np.arange(len(learnt)) % 2])
    bits = calibration.bits(np.sort(asked), np.repeat(cohort, len(asked)))
    assert np.isfinite(bits).all()
    assert (bits >= 0).all()
    assert (np.diff(bits) >= -1e-9 * (1 + bits[1:])).all()


def test_a_spread_next_to_nothing_is_none() -> None:
    """Scores that differ by less than numbers can tell are taken as equal, without overflow."""
    calibration = TailCalibration.fit(np.array([0.0, 5e-324, 2e-310]), np.repeat(FLEET, 3))
    bits = calibration.bits(np.array([0.0, 1.0, 1e6]), np.repeat(FLEET, 3))
    assert np.isfinite(bits).all()
    assert (np.diff(bits) > 0).all()


def test_tail_is_continuous() -> None:
    """Around the last knot, where the straight line begins, bits do not jump."""
    scores = np.random.default_rng(2).gamma(2, size=3_000)
    calibration = TailCalibration.fit(scores, cohort_of(scores))
    end = calibration.fleet.location + calibration.knots[-1] * calibration.fleet.scale
    below, above = calibration.bits(end + np.array([-1e-9, 1e-9]), np.repeat(FLEET, 2))
    assert 0 <= above - below < 1e-6
    assert above == pytest.approx(-np.log2(0.02), abs=1e-3)


def test_below_the_tail_bits_are_the_empirical_survival() -> None:
    """The median score of a cohort has one bit, its 90 % quantile log2(10)."""
    scores = np.random.default_rng(3).normal(size=20_000)
    calibration = TailCalibration.fit(scores, cohort_of(scores))
    bits = calibration.bits(np.quantile(scores, [0.5, 0.9]), np.repeat(FLEET, 2))
    assert bits == pytest.approx([1.0, np.log2(10)], abs=0.02)


def test_ties_count_as_at_least_as_extreme() -> None:
    """Where 60 % of the scores are zero, a zero has no bits."""
    scores = np.append(np.zeros(600), np.random.default_rng(0).exponential(size=400))
    calibration = TailCalibration.fit(scores, cohort_of(scores))
    assert calibration.bits(np.zeros(1), FLEET) == 0


@pytest.mark.parametrize("n", [1, 2, 49, 50, 5_000])
def test_constant_scores_leave_a_usable_tail(n: int) -> None:
    """If nothing was ever different, the usual score has no bits and a higher one has some."""
    calibration = TailCalibration.fit(np.full(n, 0.4), cohort_of(np.zeros(n)))
    usual, higher = calibration.bits(np.array([0.4, 1.4]), np.repeat(FLEET, 2))
    assert usual == 0
    assert 1 < higher < 100


def test_few_scores_promise_no_more_than_they_can() -> None:
    """The largest of twenty scores is worth log2(21) bits."""
    scores = np.arange(20.0)
    assert TailCalibration.fit(scores, cohort_of(scores)).bits(scores[-1:], FLEET) == pytest.approx(np.log2(21))


def test_small_cohort_leans_on_the_fleet() -> None:
    """Five quiet windows do not make a cohort quiet; an unknown cohort is judged as the fleet."""
    rng = np.random.default_rng(4)
    scores = np.append(rng.exponential(size=5_000), np.zeros(5))
    names = np.append(np.repeat("big", 5_000), np.repeat("tiny", 5))
    calibration = TailCalibration.fit(scores, names)
    tiny, unknown = calibration.bits(np.array([4.0, 4.0]), np.array(["tiny", "new"]))
    assert tiny == pytest.approx(unknown, rel=0.02)


def test_json_gives_the_same_bits() -> None:
    """A calibration survives a round trip through JSON text."""
    scores = np.random.default_rng(6).exponential(size=999)
    names = np.array(["a", "b", "c"])[np.arange(999) % 3]
    calibration = TailCalibration.fit(scores, names)
    again = TailCalibration.from_json(json.loads(json.dumps(calibration.to_json())))
    assert (again.bits(scores * 3, names) == calibration.bits(scores * 3, names)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"slope": 0.0},
        {"slope": float("nan")},
        {"slope": "steep"},
        {"knots": []},
        {"knots": [2.0, 1.0]},
        {"knots": [[0.0, 1.0]]},
        {"knot_bits": [-1.0, 1.0]},
        {"knot_bits": [0.0]},
        {"fleet": [0.0, 0.0]},
        {"fleet": [0.0]},
        {"cohorts": {"a": [0.0, float("inf")]}},
        {"cohorts": [1]},
        {"cohorts": None},
    ],
)
def test_senseless_description_is_refused(change: dict[str, Any]) -> None:
    """A stored calibration with numbers that make no tail raises ArtefactError."""
    good = {"knots": [0.0, 1.0], "knot_bits": [0.0, 5.0], "slope": 2.0, "fleet": [0.0, 1.0], "cohorts": {}}
    TailCalibration.from_json(good)
    with pytest.raises(ArtefactError, match="calibration"):
        TailCalibration.from_json(good | change)
    with pytest.raises(ArtefactError, match="calibration"):
        TailCalibration.from_json({name: value for name, value in good.items() if name != next(iter(change))})


@pytest.mark.parametrize("scores", [[], [np.nan], [np.inf], [1.0, 2.0], [[1.0]]])
def test_unusable_scores_are_refused(scores: Floats) -> None:
    """Nothing, NaN, infinity or another shape than the cohorts' cannot be calibrated on."""
    with pytest.raises(ValueError, match="scores"):
        TailCalibration.fit(np.array(scores, np.float64), FLEET[: len(scores)])


def test_nan_has_no_bits() -> None:
    """Asked for the bits of NaN, say so."""
    scores = np.arange(100.0)
    with pytest.raises(ValueError, match="NaN"):
        TailCalibration.fit(scores, cohort_of(scores)).bits(np.array([np.nan]), FLEET)
