import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sums import summed

rows = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.floats(-1e6, 1e6)), min_size=1, max_size=40)


@given(rows)
def test_sums_are_those_of_the_rows(told: list[tuple[str, int, float]]) -> None:
    """Each key has the sum of its rows, in the order in which keys come first."""
    found = summed(
        pl.DataFrame(told, {"a": pl.String, "b": pl.Int64, "x": pl.Float64}, orient="row"), ["a", "b"], ["x"]
    )

    keys = list(dict.fromkeys((a, b) for a, b, _ in told))
    assert found.select("a", "b").rows() == keys
    assert found["x"].to_list() == pytest.approx(
        [sum(x for a, b, x in told if (a, b) == key) for key in keys], abs=1e-6
    )


def test_sums_are_the_same_in_every_run() -> None:
    """Keys scattered over the rows, as cohorts are over workloads: to the last bit, however threads share the work."""
    chance = np.random.default_rng(0)
    table = pl.DataFrame({"a": chance.integers(0, 7, 7_000), "b": chance.integers(0, 23, 7_000)})
    table = table.with_columns(pl.Series("x", chance.random(7_000) * 1e3))

    assert len({summed(table, ["a", "b"], ["x"])["x"].to_numpy().tobytes() for _ in range(200)}) == 1
