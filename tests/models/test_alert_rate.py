"""Strengths become rates of alerts, counted in blocks of six hours of one workload."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from models.alert_rate import AlertRate
from models.errors import ArtefactError

START = datetime(2026, 9, 7, tzinfo=UTC)
WORKLOADS, WINDOWS = 60, 144 * 10  # ten days


def keys() -> pl.DataFrame:
    moments = [START + timedelta(minutes=10) * n for n in range(WINDOWS)]
    return pl.DataFrame({"workload": [f"w{n}" for n in range(WORKLOADS)]}).join(
        pl.DataFrame({"window_start": moments}), how="cross"
    )


def blocks_a_day(bits: np.ndarray, threshold: float) -> float:
    strange = keys().filter(pl.Series(bits >= threshold))
    return strange.select("workload", pl.col("window_start").dt.truncate("6h")).n_unique() / 10


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("run", [1, 12])
def test_the_budget_is_kept_on_days_not_seen(seed: int, run: int) -> None:
    """Two alerts a day were asked for and a factor of 2.5 is allowed, whether strange windows come alone or in runs."""
    rng = np.random.default_rng(seed)

    def draw() -> np.ndarray:
        return np.repeat(rng.exponential(3.0, WORKLOADS * WINDOWS // run), run)

    rate = AlertRate.fit(keys(), draw())

    assert 2 / 2.5 <= blocks_a_day(rate.bits(draw()), rate.threshold(2.0)) <= 2 * 2.5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_attacks_among_the_windows_learnt_leave_the_rate_within_a_factor_of_two(seed: int) -> None:
    """One window in a hundred is of an attack of six hours, stronger than all else; clean days keep the budget."""
    rng = np.random.default_rng(seed)

    def draw() -> np.ndarray:
        return np.repeat(rng.exponential(3.0, WORKLOADS * WINDOWS // 12), 12)

    attacked = draw()
    for first in rng.choice(len(attacked) // 36, len(attacked) // 3600, replace=False) * 36:
        attacked[first : first + 36] += 30.0
    rate = AlertRate.fit(keys(), attacked)
    clean = draw()

    for budget in (2.0, 10.0, 50.0):
        assert budget / 2 <= blocks_a_day(rate.bits(clean), rate.threshold(budget)) <= budget * 2


def test_bits_rise_without_end() -> None:
    """A stronger window always has more bits, far beyond the strongest one learnt."""
    strength = np.random.default_rng(1).exponential(3.0, WORKLOADS * WINDOWS)
    rate = AlertRate.fit(keys(), strength)

    bits = rate.bits(np.linspace(0, strength.max() * 10, 500))

    assert (np.diff(bits) >= 0).all()
    assert (np.diff(bits[100:]) > 0).all()
    assert bits[0] >= 0


def test_a_smaller_budget_asks_for_more_bits() -> None:
    """Ten times fewer alerts a day are log2(10) bits higher."""
    rate = AlertRate.fit(keys(), np.random.default_rng(1).exponential(3.0, WORKLOADS * WINDOWS))

    assert rate.threshold(0.1) - rate.threshold(1.0) == pytest.approx(np.log2(10))


def test_equal_strengths_and_few_windows_make_a_rate() -> None:
    """A fleet in which nothing ever happened still calibrates, and anything stronger than it has more bits."""
    few = keys().head(30)

    rate = AlertRate.fit(few, np.zeros(30))

    calm, strange = rate.bits(np.array([0.0, 50.0]))
    assert 0 <= calm < strange < np.inf


def test_it_is_stored_whole_and_refused_when_spoilt() -> None:
    """What is written reads back the same; numbers that make no rate are refused."""
    rate = AlertRate.fit(keys(), np.random.default_rng(1).exponential(3.0, WORKLOADS * WINDOWS))
    stored = rate.to_json()
    asked = np.linspace(0, 100, 50)

    assert (AlertRate.from_json(stored).bits(asked) == rate.bits(asked)).all()
    for name, value in (("slope", -1.0), ("knots", [3.0, 1.0]), ("blocks_a_day", float("nan"))):
        with pytest.raises(ArtefactError, match="train again"):
            AlertRate.from_json(stored | {name: value})
