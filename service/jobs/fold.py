"""Takes events from the spool into the lake, many requests at a time."""

from datetime import datetime, timedelta

import polars as pl

from features.events import conform
from features.watermark import latest_heard, watermark
from features.windows import floor_window, window_start
from service.jobs.locks import only_one
from service.wiring import Home

_BATCH = 64 * 2**20  # bytes of spooled events that are in memory at a time


def fold(home: Home, *, now: datetime) -> int:
    """Take everything in the spool into the lake, and note which windows it touches.

    Events leave the spool last. Stopped at any moment, the next run takes them again: the lake holds each event once,
    and a window that is noted twice is scored twice, alike.

    Returns
    -------
    Number of events that are new in the lake.

    Raises
    ------
    JobError
        If another process does so.
    """
    added = 0
    with only_one(home.spool.lock, "intake into this lake"):
        home.spool.sweep(now - timedelta(minutes=10))
        for spooled, paths in home.spool.batches(_BATCH):
            events = conform(spooled)
            added += home.lake.append(events)
            home.heard.note(latest_heard(events, now + _lateness(home)))
            home.touched.touch(_scorable(home, events, now))
            home.spool.remove(paths)
    return added


def closed_windows(home: Home, *, now: datetime) -> datetime:
    """Give the end of the last window that the watermark has passed."""
    patience = timedelta(seconds=home.settings.idle_source_seconds)
    return floor_window(watermark(home.heard.latest(), now, lateness=_lateness(home), patience=patience))


def oldest_scored(home: Home, now: datetime) -> datetime:
    """Say from when on windows are scored as they close.

    The setting `history_days` counts back from the latest event, so that an old capture can be sent.
    """
    return max(home.heard.latest(), default=now) - timedelta(days=home.settings.history_days)


def _lateness(home: Home) -> timedelta:
    return timedelta(seconds=home.settings.lateness_seconds)


def _scorable(home: Home, events: pl.DataFrame, now: datetime) -> list[datetime]:
    """List the windows that events lie in, but for those that a broken clock made up."""
    credible = events.filter(pl.col("ts").is_between(oldest_scored(home, now), now + _lateness(home)))
    return credible.select(window_start()).to_series().unique().to_list()
