"""Scores the closed windows of the lake, day by day, and stores the scores."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import polars as pl

from features.addresses import internal_networks
from features.lake import Lake
from features.leases import LEASE_COLUMNS, LEASE_KINDS, Leases, attribute, build_leases
from features.windows import TRAILING, WINDOW, Windows, extract, floor_window
from models.detector import Detector
from models.scores import Score
from service.jobs.errors import JobError
from service.jobs.progress import Progress, silent
from service.wiring import Home, champion

DAY = timedelta(days=1)


def score(
    home: Home,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Progress = silent,
) -> list[Score]:
    """Score every closed window, and store the scores.

    A window is closed once the lake holds an event at or after its end. Scoring again gives the same scores; a run that
    was stopped has stored the days it had finished.

    Parameters
    ----------
    home
        Where lake, registry and store lie.
    since, until
        Only windows of which any part lies in since <= t < until: both snap outwards to full windows.
    progress
        Told the day at work and the share of the span that is done.

    Returns
    -------
    Scores by window, then workload.

    Raises
    ------
    JobError
        If there is no model yet, or the lake is empty.
    """
    detector = model(home)
    span = home.lake.span()
    if span is None:
        raise JobError("the lake is empty (run wharfinger ingest first)")
    first = floor_window(span[0] if since is None else max(since, span[0]))
    last = floor_window(span[1] if until is None else min(until + WINDOW - timedelta.resolution, span[1]))
    scores: list[Score] = []
    for day, windows in windows_by_day(home, first, last):
        progress(f"{day:%Y-%m-%d}", max((day - first) / (last - first), 0.0))
        found = detector.score(windows)
        home.store.replace(found)
        scores += found
    return sorted(scores, key=lambda score: (score.window_start, score.workload))


def score_events(home: Home, events: pl.DataFrame) -> list[Score]:
    """Score the windows that `events` lie in as if they were closed; nothing is stored.

    Parameters
    ----------
    home
        Whose champion scores, and whose lake knows which address belongs to whom.
    events
        Event rows in any order; what they say of containers and addresses counts beside the lake.

    Raises
    ------
    JobError
        If there is no model yet.
    """
    detector = model(home)
    known = pl.concat([lease_events(home.lake), events.select(LEASE_COLUMNS)]).unique("event_id", keep="first")
    scores = detector.score(extract(_attributed(home, events, build_leases(known))))
    return sorted(scores, key=lambda score: (score.window_start, score.workload))


def model(home: Home) -> Detector:
    """Load the champion, or say how to make one."""
    detector = champion(home)
    if detector is None:
        raise JobError("there is no model yet (run wharfinger refresh first)")
    return detector


def windows_by_day(home: Home, first: datetime, last: datetime) -> Iterator[tuple[datetime, Windows]]:
    """Compute the windows with first <= start < last, one day (UTC) in memory at a time.

    Days are whole whatever the bounds, so that a window's features do not depend on the span that was asked for.
    """
    leases = build_leases(lease_events(home.lake))
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < last:
        events = home.lake.read(day - TRAILING, day + DAY)
        windows = extract(_attributed(home, events, leases)).between(max(day, first), min(day + DAY, last))
        if windows.values.height:
            yield day, windows
        day += DAY


def lease_events(lake: Lake) -> pl.DataFrame:
    """Read what says which container and address belonged to whom, over all time."""
    return lake.read(kinds=LEASE_KINDS, columns=LEASE_COLUMNS)


def _attributed(home: Home, events: pl.DataFrame, leases: Leases) -> pl.DataFrame:
    return attribute(events, leases, internal_networks(home.settings.internal_cidrs))
