"""What a window's trailing day holds is what lies in the day up to it."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features import trailing
from features.events import TIME
from features.windows import TRAILING, WINDOW

START = datetime(2026, 9, 14, tzinfo=UTC)
met = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 450), st.sampled_from(["x", "y", "z"]), st.integers(0, 9)),
    max_size=40,
)


def frame(rows: list[tuple[str, int, str, int]]) -> pl.DataFrame:
    windows = pl.Series([START + WINDOW * row[1] for row in rows], dtype=TIME)
    return pl.DataFrame(
        {
            "workload": pl.Series([row[0] for row in rows], dtype=pl.String),
            "window_start": windows,
            "item": pl.Series([row[2] for row in rows], dtype=pl.String),
            "sent": pl.Series([row[3] for row in rows], dtype=pl.Int64),
        }
    )


def in_its_day(
    rows: list[tuple[str, int, str, int]], workload: str, moment: datetime
) -> list[tuple[str, int, str, int]]:
    return [row for row in rows if row[0] == workload and timedelta() <= moment - (START + WINDOW * row[1]) < TRAILING]


@given(met)
def test_items_of_the_day_are_counted_once(rows: list[tuple[str, int, str, int]]) -> None:
    """The count is the number of different items that the workload met in the day up to the window."""
    found = trailing.distinct(frame(rows))

    assert found.select("workload", "window_start").unique().height == len({row[:2] for row in rows})
    for workload, moment, count in found.select("workload", "window_start", "distinct").iter_rows():
        assert count == len({row[2] for row in in_its_day(rows, workload, moment)})


@given(met)
def test_amounts_of_the_day_are_summed(rows: list[tuple[str, int, str, int]]) -> None:
    """The sum is that of the day up to the window, of each item apart."""
    found = trailing.total(frame(rows), ("sent",), within=("item",))

    for workload, item, moment, total in found.select("workload", "item", "window_start", "sent").iter_rows():
        assert total == sum(row[3] for row in in_its_day(rows, workload, moment) if row[2] == item)
