from datetime import UTC, datetime, timedelta

from service.database import Database
from service.touched import Backlog, TouchedWindows

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)
WINDOW, HOUR = timedelta(minutes=10), timedelta(hours=1)


def windows(database: Database) -> TouchedWindows:
    return TouchedWindows(database, reopen=HOUR)


def test_a_window_is_due_when_it_has_closed(database: Database) -> None:
    """A window is scored once it ends by the watermark, and not again while nothing is added."""
    touched = windows(database)
    touched.touch([NOON, NOON - WINDOW, NOON])

    assert [one.start for one in touched.due(NOON, NOON)] == [NOON - WINDOW]
    touched.scored(touched.due(NOON, NOON), NOON)
    assert touched.due(NOON, NOON) == []
    assert [one.start for one in touched.due(NOON + WINDOW, NOON)] == [NOON]


def test_events_reopen_a_window_for_an_hour(database: Database) -> None:
    """What comes within an hour of the first scoring has the window scored again; what comes later is counted."""
    touched = windows(database)
    touched.touch([NOON])
    touched.scored(touched.due(NOON + WINDOW, NOON), NOON)
    touched.touch([NOON])

    assert len(touched.due(NOON + WINDOW, NOON + HOUR)) == 1
    touched.scored(touched.due(NOON + WINDOW, NOON + HOUR), NOON + HOUR)
    touched.touch([NOON])
    assert touched.due(NOON + WINDOW, NOON + HOUR + WINDOW) == []
    assert touched.backlog(NOON + HOUR + WINDOW) == Backlog(waiting=0, late=1)


def test_what_is_added_while_a_window_is_scored_is_not_forgotten(database: Database) -> None:
    """A scoring stands for what had been added when it began."""
    touched = windows(database)
    touched.touch([NOON])
    begun = touched.due(NOON + WINDOW, NOON)
    touched.touch([NOON])

    touched.scored(begun, NOON)

    assert [one.start for one in touched.due(NOON + WINDOW, NOON)] == [NOON]
    assert touched.backlog(NOON) == Backlog(waiting=1, late=0)


def test_old_windows_are_forgotten(database: Database) -> None:
    """What starts before a time is gone."""
    touched = windows(database)
    touched.touch([NOON - WINDOW, NOON])

    touched.forget(NOON)

    assert touched.backlog(NOON).waiting == 1
