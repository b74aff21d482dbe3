"""Keeps the lake in shape: what is kept no longer goes, and many files become few."""

from contextlib import suppress
from datetime import datetime, timedelta

from features.classes import APPLICATION, NETWORK, SYSTEM
from features.lake import MOST_SMALL_FILES, Compacted, Lake
from features.lake_files import BusyError
from service.jobs.progress import Progress, silent
from service.settings import Settings
from service.wiring import Home


def spans(settings: Settings) -> dict[str, timedelta]:
    """Give the span that each class of events is kept for; a class that is kept for ever has none."""
    days = {
        NETWORK: settings.keep_network_days,
        SYSTEM: settings.keep_system_days,
        APPLICATION: settings.keep_application_days,
    }
    return {name: timedelta(days=count) for name, count in days.items() if count}


def expire(home: Home, now: datetime) -> int:
    """Remove what the settings keep no longer, and give the number of files removed.

    Spans count back from the lake's latest event, so that an old capture can be worked on; a clock that ran ahead
    of `now` expires nothing.
    """
    keep, latest = spans(home.settings), _latest(home.lake, now)
    return home.lake.expire(keep, latest) if keep and latest else 0


def compact(home: Home, now: datetime, *, progress: Progress = silent) -> list[Compacted]:
    """Rewrite the files of every day that is over, where they are not compact, and tell which.

    Raises
    ------
    features.lake_files.LakeError
        If another compaction is at work, or a file has a later schema than this one.
    """
    latest = _latest(home.lake, now)
    return home.lake.compact(latest, progress=progress) if latest else []


def tidy(home: Home, now: datetime) -> None:
    """Expire, and compact the days whose files have become so many that reading them is slow."""
    expire(home, now)
    latest = _latest(home.lake, now)
    if latest:
        with suppress(BusyError):
            home.lake.compact(latest, most=MOST_SMALL_FILES)


def _latest(lake: Lake, now: datetime) -> datetime | None:
    span = lake.span()
    return min(now, span[1]) if span else None
