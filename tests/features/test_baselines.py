"""Baselines merge: what is learnt in parts is what is learnt at once."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.baselines import Baseline, learn
from features.extraction import extract_days
from features.windows import WINDOW, Windows, merge_windows
from tests.estates import Estate


@pytest.fixture(scope="module")
def windows(estate: Estate) -> Windows:
    return merge_windows(list(extract_days(estate.lake, estate.until - timedelta(days=1), estate.until)))


def same(left: Baseline, right: Baseline) -> bool:
    """Equal tables; sums of floats may differ in the last digits by the order they were added in."""
    exact = ("workloads", "items")
    counts = pl.col("workload", "feature", "cell", "active")
    sums = [
        left.values[name].to_numpy() - right.values[name].to_numpy()
        for name in ("total", "squares", "log_total", "log_squares")
    ]
    scale = 1 + left.values["squares"].abs().max()
    return (
        all(getattr(left, name).equals(getattr(right, name)) for name in exact)
        and left.values.select(counts).equals(right.values.select(counts))
        and all(abs(difference).max() < 1e-9 * scale for difference in sums)
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 143), min_size=2, max_size=2, unique=True))
def test_merge_is_associative_and_commutative(windows: Windows, estate: Estate, cuts: list[int]) -> None:
    """Three spans merged in any grouping and order equal the whole learnt at once."""
    since, until = estate.until - timedelta(days=1), estate.until
    one, two = sorted(cuts)
    edges = [since, since + one * WINDOW, since + two * WINDOW, until]
    first, second, third = (learn(windows, edges[i], edges[i + 1]) for i in range(3))

    whole = learn(windows, since, until)

    assert same(first.merge(second).merge(third), whole)
    assert same(first.merge(second.merge(third)), whole)
    assert same(third.merge(first).merge(second), whole)


def test_a_baseline_does_not_grow_with_the_number_of_events(windows: Windows, estate: Estate) -> None:
    """A hundred times the connections in the same windows make tables of the same length."""
    since, until = estate.until - timedelta(days=1), estate.until
    busier = Windows(
        windows.values.with_columns(pl.col("network.connections") * 100),
        windows.items.with_columns(pl.col("count") * 100),
        windows.facts,
    )

    usual, busy = learn(windows, since, until), learn(busier, since, until)

    assert [len(usual.values), len(usual.items)] == [len(busy.values), len(busy.items)]


def test_only_the_span_is_learnt(windows: Windows, estate: Estate) -> None:
    """Windows outside [since, until) leave no trace."""
    until = estate.until - timedelta(hours=12)

    baseline = learn(windows, estate.until - timedelta(days=1), until)

    assert baseline.workloads["last_seen"].max() <= until
    assert baseline.items["last_seen"].max() < until
