"""Strange windows made by hand, for tests of what is told of them."""

from datetime import UTC, datetime, timedelta

from models.scores import SEVERITIES, BaselineInfo, Reason, Score, Severity

START = datetime(2026, 9, 14, tzinfo=UTC)
TEN = timedelta(minutes=10)


def iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def score(workload: str, number: int, severity: Severity) -> Score:
    """Make the score of a workload's window, counted from `START`."""
    bits = 8.0 * SEVERITIES.index(severity)
    why = Reason(feature="network.new_edge", value="x", expected="y", bits=bits, technique="T1571", text="odd")
    return Score(
        workload=workload,
        window_start=iso(START + number * TEN),
        window_end=iso(START + (number + 1) * TEN),
        score=bits / (bits + 10),
        bits=bits,
        p_value=2.0**-bits,
        severity=severity,
        evidence={"network": bits},
        reasons=[why],
        baseline=BaselineInfo(level="workload", maturity=1.0, windows=100),
        model="m",
    )
