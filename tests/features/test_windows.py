"""Tables of windows are in one order, whatever the order in which their rows were found."""

from datetime import UTC, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.windows import ITEMS_SCHEMA, KEY, WINDOW, in_order

START = datetime(2026, 9, 14, tzinfo=UTC)
texts = st.sampled_from(["", "a", "B", "b", "é", "a:443", "a:80", "名"]) | st.text(
    st.characters(exclude_categories=["Cs"])
)
items = st.lists(st.tuples(texts, st.integers(0, 300), texts, texts), max_size=30, unique=True)


@given(items)
def test_items_lie_by_window_feature_and_item(rows: list[tuple[str, int, str, str]]) -> None:
    """Sorting by the places of texts gives the order of the texts themselves, with the counts of their rows."""
    found = [(workload, START + WINDOW * window, *what, count) for count, (workload, window, *what) in enumerate(rows)]
    table = pl.DataFrame(found, ITEMS_SCHEMA, orient="row")

    assert in_order(table).equals(table.sort(*KEY, "feature", "item"))
