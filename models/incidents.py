"""Alerts as an analyst counts them: a run of strange windows of one workload is one."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from models.scores import SEVERITIES, Score, Severity

GAP = timedelta(hours=6)
T = TypeVar("T")


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


class Incident(Alert, frozen=True, kw_only=True):
    """A run of strange windows of one workload; `strongest` is the one to read first.

    `id` is the start of its first window, a slash and its workload. It stays as the incident grows; if a window is
    found later that lies before the first, the incident has another `id`, and the old one still leads to it. `hosts`
    are those that ran the workload meanwhile.
    """

    hosts: list[str]


def runs(
    windows: Iterable[T], place: Callable[[T], tuple[str, datetime, datetime]], *, gap: timedelta = GAP
) -> Iterator[list[T]]:
    """Part strange windows into those of one workload that follow each other closely.

    Parameters
    ----------
    windows
        In any order.
    place
        Gives the workload, the start and the end of a window.
    gap
        Windows closer than this belong together.
    """
    run: list[T] = []
    for window in sorted(windows, key=place):
        workload, start, _ = place(window)
        if run:
            last = place(run[-1])
            if last[0] != workload or start - last[2] >= gap:
                yield run
                run = []
        run.append(window)
    if run:
        yield run


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
    strange = (score for score in scores if SEVERITIES.index(score.severity) >= least)
    found = (_alert(run) for run in runs(strange, _place, gap=gap))
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


def _place(score: Score) -> tuple[str, datetime, datetime]:
    return score.workload, datetime.fromisoformat(score.window_start), datetime.fromisoformat(score.window_end)
