"""Tables looked up by key."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.keyed_tables import Column, KeyedTable

WORDS = st.sampled_from(["", "a", "b", "ä", "zz", None])
KEYS = st.lists(st.tuples(WORDS, st.integers(-2, 2)), max_size=20)
SCHEMA = {"word": pl.String(), "number": pl.Int64()}


@given(KEYS, KEYS)
def test_a_look_up_finds_what_a_join_finds(
    table: list[tuple[str | None, int]], asked: list[tuple[str | None, int]]
) -> None:
    """Each key has the number that a left join gives it, and a null is equal to nothing."""
    known = pl.DataFrame(table, SCHEMA, orient="row").unique(maintain_order=True).with_row_index("found")
    keys = pl.DataFrame(asked, SCHEMA, orient="row")
    by_key = KeyedTable(known, "word", "number")

    rows = by_key.find(Column.of(keys["word"]), Column.of(keys["number"]))

    joined = keys.join(known, on=["word", "number"], how="left", maintain_order="left")["found"]
    assert pl.Series(by_key.take("found", rows), nan_to_null=True).to_list() == joined.to_list()
    assert Column.of(keys["word"]).texts().to_list() == keys["word"].to_list()
