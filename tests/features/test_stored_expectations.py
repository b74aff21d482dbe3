"""Expectations are stored as tables and read back as they were."""

from datetime import timedelta

import pytest
from polars.testing import assert_frame_equal

from features.baselines import learn
from features.evidence import Normal, weigh
from features.extraction import extract_days
from features.magnitudes import Magnitudes
from features.novelty import Novelty
from features.stored_expectations import from_tables, tables_of
from features.windows import Windows, merge_windows
from tests.estates import Estate


@pytest.fixture(scope="module")
def windows(estate: Estate) -> Windows:
    return merge_windows(list(extract_days(estate.lake, estate.until - timedelta(days=1), estate.until)))


@pytest.fixture(scope="module")
def normal(windows: Windows, estate: Estate) -> Normal:
    return Normal.of(learn(windows, estate.until - timedelta(days=1), estate.until))


def test_tables_read_back_weigh_the_same(normal: Normal, windows: Windows) -> None:
    """Evidence against expectations from tables equals that against those derived from the baseline, to the bit."""
    tables = {"values": normal.baseline.values, **tables_of(normal.magnitudes), **tables_of(normal.novelty)}

    stored = Normal(normal.baseline, from_tables(Magnitudes, tables), from_tables(Novelty, tables))

    was, is_now = weigh(windows, normal), weigh(windows, stored)
    assert (was.bits == is_now.bits).all()
    assert_frame_equal(was.values, is_now.values)
    assert_frame_equal(was.items, is_now.items)


def test_a_table_that_is_missing_is_named(normal: Normal) -> None:
    """Tables without one of those needed are refused, whether it stands alone or for a level."""
    tables = tables_of(normal.novelty)
    del tables["novelty_by_fleet"]
    with pytest.raises(ValueError, match="novelty_by_fleet"):
        from_tables(Novelty, tables)
    with pytest.raises(ValueError, match="magnitudes_cells"):
        from_tables(Magnitudes, {})
