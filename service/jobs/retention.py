"""How long scores and rows of the audit log are kept."""

from datetime import UTC, datetime, timedelta

from service.wiring import Home


def oldest_score(home: Home, now: datetime) -> datetime:
    """Say from when on windows keep their scores.

    The setting `keep_scores_days` counts back from the lake's latest event, so that an old capture can be worked on;
    a clock that ran ahead of `now` expires nothing.
    """
    days, span = home.settings.keep_scores_days, home.lake.span()
    return min(now, span[1]) - timedelta(days=days) if days and span else datetime.min.replace(tzinfo=UTC)


def expire_scores(home: Home, now: datetime) -> int:
    """Delete the scores of windows that start before the oldest to keep, and give their number."""
    return home.store.expire(oldest_score(home, now))


def expire_audit(home: Home, now: datetime) -> int:
    """Delete rows of the audit log that are older than the setting `audit_days`, and give their number.

    They count back from `now`: people act by the clock, whatever capture they work on.
    """
    days = home.settings.audit_days
    return home.audit.expire(now - timedelta(days=days)) if days else 0
