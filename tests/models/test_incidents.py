"""A run of strange windows of one workload is one alert."""

from datetime import UTC, datetime, timedelta

from models.incidents import alerts
from models.scores import BaselineInfo, Score, Severity

START = datetime(2026, 9, 14, tzinfo=UTC)


def score(workload: str, hours: float, bits: float = 12.0, severity: Severity = "high") -> Score:
    start = START + timedelta(hours=hours)
    text = "%Y-%m-%dT%H:%M:%SZ"
    return Score(
        workload=workload,
        window_start=start.strftime(text),
        window_end=(start + timedelta(minutes=10)).strftime(text),
        score=bits / (bits + 10),
        bits=bits,
        p_value=2**-bits,
        severity=severity,
        evidence={},
        reasons=[],
        baseline=BaselineInfo(level="workload", maturity=1.0, windows=100),
        model="m",
    )


def test_windows_less_than_six_hours_apart_are_one_alert() -> None:
    """Strange windows at noon and at five are one alert; one at midnight is the next."""
    found = alerts([score("a", 12), score("a", 17, bits=15.0), score("a", 24)])

    assert [(alert.windows, alert.bits) for alert in found] == [(2, 15.0), (1, 12.0)]
    assert found[0].strongest.bits == 15.0


def test_workloads_are_kept_apart_and_the_strongest_comes_first() -> None:
    """Windows of two workloads at the same time are two alerts, ordered by bits, in whatever order they come."""
    found = alerts([score("a", 1), score("b", 1, bits=20.0), score("a", 1.5)])

    assert [(alert.workload, alert.windows) for alert in found] == [("b", 1), ("a", 2)]


def test_what_is_not_strange_enough_neither_alerts_nor_joins() -> None:
    """Medium windows between two high ones do not bridge a gap of six hours, unless asked for."""
    scores = [score("a", 0), score("a", 4, severity="medium", bits=9.0), score("a", 8)]

    assert len(alerts(scores)) == 2
    assert len(alerts(scores, at_least="medium")) == 1
    assert alerts([]) == []
