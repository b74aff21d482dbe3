import numpy as np
import pytest

from features.gamma_poisson import SHAPES, fit_shape, posterior_mean


def counts(shape: float, mean: float, exposure: float, members: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(shape, mean / shape, members) * exposure)


@pytest.mark.parametrize("shape", [0.1, 1.0, 10.0])
def test_the_shape_that_made_the_counts_is_found(shape: float) -> None:
    """Within a factor of two of the truth, given some hundreds of members with events."""
    made = counts(shape, 0.01, 1_000, 600, seed=1)

    assert shape / 2 <= fit_shape(made, np.full(600, 1_000.0), np.full(600, 0.01)) <= shape * 2


def test_nothing_seen_leaves_the_shape_near_what_is_usual() -> None:
    """Without a single event nothing is learnt of how members differ."""
    assert 0.2 <= fit_shape(np.zeros(50), np.full(50, 10.0), np.full(50, 1e-5)) <= 1.2


def test_members_that_differ_are_judged_by_themselves_and_alike_ones_by_the_group() -> None:
    """One without events among unlike members is rarer than the group; among alike ones it was merely lucky."""
    none, exposure, mean = np.zeros(1), np.array([1_000.0]), np.array([0.01])

    unlike = posterior_mean(none, exposure, mean, np.array([SHAPES[0]]))
    alike = posterior_mean(none, exposure, mean, np.array([SHAPES[-1]]))

    assert unlike < 0.0001
    assert alike == pytest.approx(0.01, rel=0.2)


def test_rates_are_probabilities_and_rise_with_events() -> None:
    """Whatever was counted, a rate lies between 0 and 1."""
    events = np.array([0.0, 1.0, 10.0, 1e6])

    rates = posterior_mean(events, np.full(4, 100.0), np.full(4, 0.01), np.ones(4))

    assert (np.diff(rates) > 0).all()
    assert rates[0] > 0
    assert rates[-1] == 1.0
