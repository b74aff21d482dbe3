"""Windows of a lake: which days are visited, and what a span of no length gives."""

from datetime import timedelta

from features.extraction import extract_days
from tests.estates import Estate


def test_a_span_of_no_length_holds_no_window(estate: Estate) -> None:
    """Events that all lie in one window close none; nothing is divided by their span."""
    told: list[float] = []

    (found,) = extract_days(estate.lake, estate.until, estate.until, progress=told.append)

    assert found.values.is_empty()
    assert told == [1.0]


def test_progress_ends_at_one(estate: Estate) -> None:
    """The share done rises to one, whatever days hold events."""
    told: list[float] = []

    list(extract_days(estate.lake, estate.until - timedelta(days=2), estate.until, progress=told.append))

    assert told == sorted(told)
    assert told[-1] == 1.0
