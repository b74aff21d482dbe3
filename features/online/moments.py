"""Time as numbers: microseconds and windows since 1970, cheaper to compare and to keep than datetimes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from features.events import EPOCH
from features.windows import TRAILING, WINDOW

Row = Mapping[str, Any]  # columns of an attributed event; one that is absent is null

MICROSECOND: Final = timedelta(microseconds=1)
LENGTH: Final = WINDOW // MICROSECOND
DAY: Final = TRAILING // WINDOW  # windows of the trailing time
TRAILING_US: Final = TRAILING // MICROSECOND


class Moment(NamedTuple):
    """When an event was, and its place among others.

    Parameters
    ----------
    us
        Microseconds since 1970.
    event_id
        Parts events of one microsecond, so that their order does not hang on that of arrival.
    window
        Number of its window.
    """

    us: int
    event_id: int
    window: int


def moment_of(row: Row) -> Moment:
    """Give the moment of an event."""
    us = (row["ts"] - EPOCH) // MICROSECOND
    return Moment(us, row.get("event_id") or 0, us // LENGTH)


def number(start: datetime) -> int:
    """Give the number of the window that a time lies in."""
    return int((start - EPOCH) // WINDOW)


def start_of(window: int) -> datetime:
    """Give the start of a window by its number."""
    return EPOCH + window * WINDOW
