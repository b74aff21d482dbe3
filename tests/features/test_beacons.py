"""Regular calls are told from irregular ones, in spite of jitter and missed check-ins."""

import numpy as np
import pytest

from features.beacons import MIN_GAPS, REGULAR, regularity


def times(period: float, jitter: float, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(period * (1 + rng.uniform(-jitter, jitter, count)))


@pytest.mark.parametrize("period", [10.0, 900.0, 3600.0])
@pytest.mark.parametrize("jitter", [0.0, 0.2, 0.5])
def test_a_beacon_is_regular_at_any_period_and_up_to_half_its_jitter(period: float, jitter: float) -> None:
    """Most moments of a beacon score as regular."""
    scores = regularity(times(period, jitter, 200, seed=1))

    assert np.mean(scores[~np.isnan(scores)] >= REGULAR) > 0.9


def test_chance_is_not_regular() -> None:
    """A Poisson process, the traffic of many people, hardly ever scores as regular."""
    found = [regularity(np.cumsum(np.random.default_rng(seed).exponential(60.0, 200))) for seed in range(20)]

    scores = np.concatenate(found)
    assert np.mean(scores[~np.isnan(scores)] >= REGULAR) < 0.1


def test_missed_check_ins_do_not_hide_a_beacon() -> None:
    """One call in ten left out changes little: quartiles do not see it."""
    kept = np.random.default_rng(3).random(200) > 0.1

    scores = regularity(times(60.0, 0.2, 200, seed=2)[kept])

    assert np.mean(scores[~np.isnan(scores)] >= REGULAR) > 0.8


def test_too_few_calls_have_no_score() -> None:
    """Below the least number of gaps there is nothing to judge."""
    assert np.isnan(regularity(np.arange(float(MIN_GAPS)))).all()
    assert len(regularity(np.zeros(0))) == 0
    assert np.isnan(regularity(np.zeros(50))[-1])
