from pathlib import Path

import msgspec

from models.scores import SEVERITIES, BaselineInfo, Reason, Score, Severity
from service.emulation.labels import Attack
from service.validation.rehearsal import ByWorkload, Rehearsal, Rehearsed, judged, name_of, store

BITS = dict(zip(SEVERITIES, (1.0, 4.0, 6.0, 9.0, 12.5), strict=True))
ATTACK = Attack(
    id="A001", scenario="N01", variant="high", techniques=("T1071.001",), workload="docker:shop/web",
    workloads=("docker:shop/Web", "docker:shop/db"), start="2026-09-07T10:05:00Z", end="2026-09-07T10:15:00Z",
)  # fmt: skip


def scored(workload: str, minute: int, severity: Severity, text: str = "", bits: float | None = None) -> Score:
    reason = Reason(feature="f", value="1", expected="0", bits=1.0, technique="T1071", text=text)
    begin, end = f"2026-09-07T10:{minute:02}:00Z", f"2026-09-07T10:{minute + 9:02}:59Z"
    return Score(
        workload=workload, window_start=begin, window_end=end, score=0.5, bits=bits or BITS[severity], p_value=0.5,
        severity=severity, evidence={}, reasons=[reason] if text else [], model="m",
        baseline=BaselineInfo(level="workload", maturity=1.0, windows=9),
    )  # fmt: skip


def told(with_it: list[Score], without: list[Score]) -> Rehearsed | None:
    return judged(ATTACK, ByWorkload(with_it), ByWorkload(without))


def test_the_strongest_window_that_a_scenario_made_speaks_for_it() -> None:
    quiet = [scored("docker:shop/web", minute, "none") for minute in (0, 10, 20)] + [scored("docker:shop/db", 0, "low")]
    loud = [scored("docker:shop/web", 10, "high", "beacon"), scored("docker:shop/db", 20, "medium", "flow")]

    row = told(loud, quiet)

    assert row is not None
    assert (row.workload, row.severity, row.bits, row.why) == ("docker:shop/web", "high", 9.0, "beacon")
    assert row.quiet_bits == 1.0
    assert row.delay == 15.0


def test_nobody_can_tell_what_a_real_alert_hides() -> None:
    """The strongest window is as severe without the scenario: it is not credited, and the weaker one is no verdict."""
    quiet = [scored("docker:shop/web", 10, "high", "a real one")]
    beside = [
        scored("docker:shop/web", 10, "high", "a real one", bits=9.9),
        scored("docker:shop/web", 20, "low", "own"),
    ]

    assert told(beside, quiet) is None
    assert told(beside[:1], quiet) is None


def test_a_weaker_alert_of_the_day_hides_nothing() -> None:
    quiet = [scored("docker:shop/web", 10, "low", "a real one")]
    beside = [scored("docker:shop/web", 10, "low", "a real one"), scored("docker:shop/web", 20, "high", "own")]

    row = told(beside, quiet)

    assert row is not None
    assert (row.severity, row.why) == ("high", "own")


def test_a_window_that_becomes_more_severe_is_credited() -> None:
    row = told(
        [scored("docker:shop/web", 10, "critical", "more")], [scored("docker:shop/web", 10, "high", "a real one")]
    )

    assert (row.severity, row.why) == ("critical", "more")


def test_a_scenario_without_windows_of_its_own_reaches_nothing() -> None:
    """Windows of others, and of another time, are not its own."""
    row = told([scored("docker:shop/cache", 10, "high")], [scored("docker:shop/web", 40, "low")])

    assert row == Rehearsed(
        scenario="N01", name="Plain beacon", variant="high", workload="docker:shop/web", severity="none", bits=0.0,
        quiet_bits=4.0, delay=None, why="",
    )  # fmt: skip


def test_a_report_is_stored_and_named_after_its_content(tmp_path: Path) -> None:
    row = told([], [])
    assert row is not None
    report = Rehearsal(
        model="m", since="2026-09-07T00:00:00Z", until="2026-09-08T00:00:00Z", learnt=False, alerts=0, workloads=3,
        unseen=(), scenarios=(row,), unplayed=("C01: no",),
    )  # fmt: skip

    file = store(report, tmp_path / name_of(report))

    assert msgspec.json.decode(file.read_bytes(), type=Rehearsal) == report
    assert name_of(report).startswith("own-")
    assert name_of(report) != name_of(msgspec.structs.replace(report, alerts=1))
