"""Counterfactuals: the fewest reasons that must go, whatever the score is made of."""

from itertools import chain, combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.counterfactual import smallest

WEIGHTS = np.array([1.0, 0.5, 0.25, 2.0, -0.5])


def surprise(rows: NDArray[np.float64], _owners: NDArray[np.intp]) -> NDArray[np.float64]:
    """Give a score that one feature lowers, as a forest may do."""
    return rows @ WEIGHTS + rows.max(axis=1)


@given(
    believed=st.lists(st.floats(0, 40), min_size=5, max_size=5),
    reasons=st.lists(st.integers(0, 4), unique=True),
    threshold=st.floats(0, 60),
)
def test_no_smaller_set_would_do(believed: list[float], reasons: list[int], threshold: float) -> None:
    """What is found stays below the threshold, no smaller set does, and no other of its size scores less."""
    left = {}
    for chosen in chain.from_iterable(combinations(reasons, size) for size in range(1, len(reasons) + 1)):
        row = np.array([believed])
        row[0, list(chosen)] = 0
        left[chosen] = float(surprise(row, np.zeros(1, np.intp))[0])
    enough = {chosen: bits for chosen, bits in left.items() if bits < threshold}

    (found,) = smallest(np.array([believed]), [reasons], np.array([threshold]), surprise)

    if not enough:
        assert found is None
    else:
        assert found is not None
        fewest = min(map(len, enough))
        assert len(found[0]) == fewest
        assert np.isclose(found[1], min(bits for chosen, bits in enough.items() if len(chosen) == fewest))


def test_windows_are_judged_apart() -> None:
    """Each of several windows has its own reasons, threshold and answer; one without reasons has none."""
    believed = np.array([[9.0, 1, 0, 0, 0], [9.0, 9, 9, 9, 0], [9.0, 0, 0, 0, 0]])

    found = smallest(believed, [[0, 1], [3, 0, 1, 2], []], np.array([4.0, 12.0, 1.0]), surprise)

    assert found[0] is not None
    assert found[0][0] == (0,)
    assert found[1] is not None
    assert len(found[1][0]) > 1
    assert found[2] is None
