"""Token buckets: never more than the burst at once, nor more than the rate in the long run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.buckets import MOST, Buckets


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_no_more_than_burst_and_rate_allow(rate: float, burst: int, pauses: list[float]) -> None:
    """Whatever the pauses, what was let through by any time is at most the burst and what came since."""
    now = 0.0
    buckets = Buckets(rate, burst, clock=lambda: now)
    passed = 0
    for pause in pauses:
        now += pause
        passed += buckets.take("a") == 0
        assert passed <= burst + rate * now + 1e-6


def test_who_waits_as_told_is_let_through() -> None:
    """The seconds that a refusal names are enough."""
    now = 0.0
    buckets = Buckets(4.0, 2, clock=lambda: now)
    assert [buckets.take("a") for _ in range(2)] == [0, 0]
    wait = buckets.take("a")
    assert wait == pytest.approx(0.25)
    assert buckets.take("b") == 0

    now += wait

    assert buckets.take("a") == 0


def test_memory_is_bounded() -> None:
    """However many names ask, no more than ten thousand are remembered."""
    buckets = Buckets(1.0, 1, clock=lambda: 0.0)
    for number in range(MOST + 50):
        assert buckets.take(str(number)) == 0

    assert len(buckets._held) == MOST
    assert buckets.take(str(MOST)) > 0


def test_no_rate_is_no_limit() -> None:
    """A rate of 0 lets everything through."""
    assert not any(Buckets(0, 1).take("a") for _ in range(100))
