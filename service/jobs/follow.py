"""Scores what intake brought, as windows close."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from features.windows import TRAILING, WINDOW
from models.detector import Detector
from models.scores import Score
from service.jobs import lake
from service.jobs.coverage import measure_coverage
from service.jobs.errors import JobError
from service.jobs.fold import closed_windows, oldest_scored
from service.jobs.retention import expire_audit
from service.jobs.score import score
from service.wiring import Home

LEASE = "leading"  # of the one server of a database that scores
ANSWERS_KEPT = timedelta(days=1)
COUNTING = timedelta(seconds=30)  # windows that close meanwhile wait


def follow(home: Home, *, now: datetime, model: Callable[[], Detector | None] = lambda: None) -> list[Score]:
    """Score the windows that closed since, and those that late events reopened.

    An event shows in the features of its own window and of those within a day after it: from the first such window on,
    all are scored again. What does not change is not written.

    Parameters
    ----------
    model
        Gives the model that scores, once there are windows to score; None stands for the champion.

    Returns
    -------
    The scores of those windows.

    Raises
    ------
    JobError
        If there is no model yet, or another process scores.
    """
    closed = closed_windows(home, now=now)
    due = home.touched.due(closed, now)
    if not due:
        return []
    until = min(closed, due[-1].start + WINDOW + TRAILING)
    scores = score(home, since=due[0].start, until=until, closed=closed, detector=model())
    home.touched.scored(due, now)
    return scores


def tidy(home: Home, *, now: datetime) -> None:
    """Remove what is kept no longer, and count what the telemetry covers."""
    lake.tidy(home, now)
    expire_audit(home, now)
    home.answers.forget(now - ANSWERS_KEPT)
    oldest = oldest_scored(home, now)
    home.touched.forget(oldest)
    home.heard.forget(oldest)
    with suppress(JobError):  # another is at it
        measure_coverage(home, patience=COUNTING)
