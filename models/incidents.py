"""Alerts as an analyst counts them: a run of strange windows of one workload is one."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from models.scores import SEVERITIES, Score, Severity

GAP = timedelta(hours=6)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A run of strange windows of one workload; `strongest` is the one to read first.

    `id` names it for verdicts: its start, a slash and its workload.
    """

    id: str
    workload: str
    start: str
    end: str
    severity: Severity
    bits: float
    windows: int
    strongest: Score


def alerts(scores: Iterable[Score], *, at_least: Severity = "high", gap: timedelta = GAP) -> list[Alert]:
    """Join strange windows into alerts.

    Parameters
    ----------
    scores
        Scores in any order.
    at_least
        Severity from which a window is strange.
    gap
        Strange windows of a workload closer than this belong to one alert.

    Returns
    -------
    Alerts, strongest first.
    """
    least = SEVERITIES.index(at_least)
    strange = sorted(
        (score for score in scores if SEVERITIES.index(score.severity) >= least),
        key=lambda score: (score.workload, score.window_start),
    )
    found = []
    for _, own in groupby(strange, key=lambda score: score.workload):
        run: list[Score] = []
        for score in own:
            if run and _time(score.window_start) - _time(run[-1].window_end) >= gap:
                found.append(_alert(run))
                run = []
            run.append(score)
        found.append(_alert(run))
    return sorted(found, key=lambda alert: (-alert.bits, alert.workload, alert.start))


def _alert(run: list[Score]) -> Alert:
    strongest = max(run, key=lambda score: score.bits)
    return Alert(
        id=f"{run[0].window_start}/{strongest.workload}",
        workload=strongest.workload,
        start=run[0].window_start,
        end=run[-1].window_end,
        severity=strongest.severity,
        bits=strongest.bits,
        windows=len(run),
        strongest=strongest,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
