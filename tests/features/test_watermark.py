from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.watermark import latest_heard, watermark

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)
LATENESS, PATIENCE = timedelta(minutes=2), timedelta(minutes=10)


def at(now: datetime, *latest: datetime) -> datetime:
    return watermark(latest, now, lateness=LATENESS, patience=PATIENCE)


def test_the_slowest_source_holds_windows_back() -> None:
    """Of two sources that are heard, the one further behind decides."""
    assert at(NOON, NOON, NOON - timedelta(minutes=5)) == NOON - timedelta(minutes=7)


def test_a_silent_source_is_waited_for_no_longer() -> None:
    """A source that said nothing for the patience holds nothing back any more."""
    assert at(NOON, NOON, NOON - PATIENCE - timedelta(seconds=1)) == NOON - LATENESS


def test_the_clock_goes_on_when_all_are_silent() -> None:
    """An estate without events closes its windows all the same, later."""
    assert at(NOON) == at(NOON, NOON - timedelta(days=1)) == NOON - PATIENCE - LATENESS


def test_a_clock_that_runs_ahead_closes_nothing() -> None:
    """An event of the year 2099 is not heard; one that is a little early counts as of now."""
    events = pl.DataFrame(
        {
            "ts": [NOON - timedelta(minutes=1), datetime(2099, 1, 1, tzinfo=UTC), NOON + timedelta(minutes=1)],
            "source": ["zeek", "zeek", "docker_events"],
            "host": ["n1", "n1", None],
        }
    )

    heard = latest_heard(events, NOON + LATENESS)

    assert heard.rows() == [
        ("docker_events", "", NOON + timedelta(minutes=1)),
        ("zeek", "n1", NOON - timedelta(minutes=1)),
    ]
    assert at(NOON, *heard["latest"]) == NOON - timedelta(minutes=3)


@given(
    behind=st.lists(st.timedeltas(timedelta(0), timedelta(hours=2)), max_size=5),
    later=st.timedeltas(timedelta(0), timedelta(hours=2)),
)
def test_it_lies_between_two_bounds(behind: list[timedelta], later: timedelta) -> None:
    """Whatever was heard, at least the lateness and at most the patience more lie between clock and watermark."""
    now = NOON + later
    mark = at(now, *(NOON - one for one in behind))
    assert now - PATIENCE - LATENESS <= mark <= now - LATENESS
