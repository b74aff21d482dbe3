"""The rolling maximum of evidence."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.protocols import specs
from features.windows import WINDOW
from models.aggregates import aggregate, by_group, two_strongest
from models.rolling import SPAN, rolling_max

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)


def _keys(windows: list[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(workload, NOON + number * WINDOW) for workload, number in windows],
        schema={"workload": pl.String, "window_start": pl.Datetime("us", "UTC")},
        orient="row",
    )


def test_evidence_lasts_for_a_span() -> None:
    """What a window shows counts in the windows after it that the span reaches, and no longer."""
    keys = _keys([("a", number) for number in range(5)])

    largest, source = rolling_max(keys, np.array([[9.0], [1.0], [2.0], [3.0], [0.0]]), 3)

    assert largest.ravel().tolist() == [9.0, 9.0, 9.0, 3.0, 3.0]
    assert source.ravel().tolist() == [0, 0, 0, 3, 3]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), min_size=1, max_size=20, unique=True),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_equals_looking_back_one_by_one(windows: list[tuple[str, int]], span: int, seed: int) -> None:
    """In any order and with gaps it is what looking back window by window gives, and the source shows as much."""
    keys = _keys(windows)
    evidence = np.random.default_rng(seed).integers(0, 9, (len(windows), 3)).astype(float)

    largest, source = rolling_max(keys, evidence, span)

    for row, (workload, number) in enumerate(windows):
        recent = [at for at, (name, then) in enumerate(windows) if name == workload and 0 <= number - then < span]
        assert np.array_equal(largest[row], evidence[recent].max(axis=0))
        assert set(source[row]) <= set(recent)
    assert np.array_equal(np.take_along_axis(evidence, source, axis=0), largest)


@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_groups_may_be_made_before_or_after(windows: int, seed: int) -> None:
    """The strongest of a group within an hour is the same to the last bit, whichever maximum is taken first."""
    keys = _keys([("ab"[number % 2], number // 2) for number in range(windows)])
    evidence = np.random.default_rng(seed).exponential(2.0, (windows, len(specs())))

    by_feature = aggregate(rolling_max(keys, evidence)[0])

    assert np.array_equal(two_strongest(rolling_max(keys, by_group(evidence))[0]), by_feature)


def test_default_span_is_an_hour() -> None:
    """The documented hour is what the windows add up to."""
    assert SPAN * WINDOW.total_seconds() == 3600.0
