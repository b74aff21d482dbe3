"""How far event time has come: up to where windows are complete, as far as anybody can know."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import polars as pl


def latest_heard(events: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Give the time of the latest event of each source and host.

    Parameters
    ----------
    events
        With `ts`, `source` and `host`, of which the last may be null.
    until
        Later events are of a clock that runs ahead, and say nothing.

    Returns
    -------
    `source, host, latest`; a host that is not known is empty.
    """
    told = events.filter(pl.col("ts") <= until).with_columns(pl.col("host").fill_null(""))
    return told.group_by("source", "host").agg(latest=pl.col("ts").max()).sort("source", "host")


def watermark(latest: Iterable[datetime], now: datetime, *, lateness: timedelta, patience: timedelta) -> datetime:
    """Give the time before which no more events are waited for.

    The slowest source holds windows back for all, so that each is scored with what everybody has to say of it. One that
    said nothing new for `patience` is not waited for, and when none has, the clock alone goes on.

    Parameters
    ----------
    latest
        Time of the latest event of each source (`latest_heard`).
    lateness
        How much later than another event of its source an event may come.
    patience
        For how long a silent source is waited for.

    Notes
    -----
    Low watermarks with idle inputs left out are those of Akidau et al., The Dataflow Model (VLDB 2015).

    Examples
    --------
    >>> from datetime import UTC
    >>> noon = datetime(2026, 9, 14, 12, tzinfo=UTC)
    >>> spans = {"lateness": timedelta(minutes=2), "patience": timedelta(minutes=10)}
    >>> f"{watermark([noon - timedelta(minutes=5), noon], noon, **spans):%H:%M}"
    '11:53'
    >>> f"{watermark([noon], noon + timedelta(hours=1), **spans):%H:%M}"
    '12:48'
    """
    waited_for = now - patience
    return min((min(one, now) for one in latest if one >= waited_for), default=waited_for) - lateness
