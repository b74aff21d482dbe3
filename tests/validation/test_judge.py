import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.incidents import GAP
from service.validation.judge import Judge
from tests.validation.made_up import act, quiet, scored

NEVER = float("inf")


def with_peaks(workloads: int, days: int, peaks: dict[tuple[str, float], float]) -> list[tuple[str, float, float]]:
    return [(name, hour, peaks.get((name, hour), bits)) for name, hour, bits in quiet(workloads, days)]


def test_windows_closer_than_the_gap_are_one_alert_and_no_others() -> None:
    hours = GAP.total_seconds() / 3600
    near, far = hours + 1 / 6 - 0.01, hours + 1 / 6

    for apart, alerts in ((near, 1), (far, 2)):
        judge = Judge(scored([("a", 0.0, 9.0), ("a", apart, 8.0), ("b", 0.0, 1.0)]), [])
        assert len(judge.alerts(5.0)) == alerts


def test_the_strongest_window_stands_for_an_alert() -> None:
    judge = Judge(scored([("a", 0.0, 7.0), ("a", 1.0, 12.0), ("a", 2.0, 9.0), ("b", 30.0, 8.0)]), [])

    first, second = judge.alerts(6.0)

    assert (first.workload, first.bits, second.workload, second.bits) == ("a", 12.0, "b", 8.0)
    assert judge.scored.bits[first.peak] == 12.0


def test_a_threshold_costs_at_most_the_false_alerts_it_is_allowed() -> None:
    """Of 100 workloads over two days, 1 a day allows two false alerts: the third strongest is where it ends."""
    names = sorted({name for name, _, _ in quiet(100, 2)})
    peaks = {(names[0], 3.0): 20.0, (names[1], 5.0): 18.0, (names[2], 7.0): 16.0, (names[9], 9.0): 17.0}
    judge = Judge(scored(with_peaks(100, 2, peaks)), [act(names[9], 9.0, 9.5)])

    assert judge.allowed(1.0) == 2
    assert judge.curve.at_most(2.0) == 17.0
    assert judge.curve.at_most(0.0) == NEVER
    assert judge.curve.at_most(3.0) == 16.0
    assert judge.curve.false_above(16.0) == 2
    assert judge.curve.rank(17.0) == 3


def test_addresses_that_nobody_leased_allow_no_noise() -> None:
    """A scan that invents hundreds of addresses must not raise what an analyst is asked to read."""
    windows = quiet(60, 2)
    invented = [(f"ip:10.0.0.{n}", 1.0, 1.0) for n in range(200)]

    assert Judge(scored(windows + invented), []).allowed(1.0) == Judge(scored(windows), []).allowed(1.0) == 1


def test_an_attack_is_caught_within_its_span_and_an_hour_after_it() -> None:
    threshold = 5.0
    for hour, caught in ((0.8, False), (0.9, True), (2.0, True), (2.9, True), (3.1, False)):
        judge = Judge(scored([("a", hour, 9.0), ("b", 0.0, 1.0)]), [act("a", 1.0, 2.0)])
        assert judge.caught(act("a", 1.0, 2.0), threshold) == caught, hour
        assert [alert.true for alert in judge.alerts(threshold)] == [caught]


def test_an_alert_on_any_workload_that_shows_it_finds_an_attack() -> None:
    told = act("a", 1.0, 2.0)
    told = type(told)(frozenset({"a", "host:h1"}), told.start, told.end)
    judge = Judge(scored([("a", 1.0, 1.0), ("HOST:H1".lower(), 1.0, 9.0), ("c", 1.0, 9.0)]), [told])

    assert judge.caught(told, 5.0)
    assert {alert.workload: alert.true for alert in judge.alerts(5.0)} == {"host:h1": True, "c": False}


def test_delay_runs_from_the_first_telemetry_to_the_end_of_the_window_that_crossed() -> None:
    told = act("a", 1.05, 4.0)
    judge = Judge(scored([("a", 1.0, 2.0), ("a", 2.0, 9.0), ("a", 3.0, 12.0), ("b", 0.0, 0.0)]), [told])

    assert judge.delay(told, 5.0) == pytest.approx((2.0 - 1.05) * 60 + 10)
    assert judge.delay(told, 13.0) is None


def test_an_act_without_duration_lies_in_its_window() -> None:
    judge = Judge(scored([("a", 1.0, 3.0), ("a", 1 + 1 / 6, 4.0)]), [])

    assert judge.rows_within(act("a", 1.05, 1.05)).tolist() == [0]


WINDOWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(0, 12)), min_size=1, max_size=60,
    unique_by=lambda window: window[:2],
)  # fmt: skip


@given(WINDOWS, st.tuples(st.sampled_from("abc"), st.integers(0, 300), st.integers(0, 60)))
def test_the_curve_counts_at_every_threshold_what_the_alerts_are(
    windows: list[tuple[str, int, int]], span: tuple[str, int, int]
) -> None:
    """The sweep joins windows one by one; cutting the runs anew at each threshold must give the same counts."""
    name, start, lasting = span
    scores = scored([(who, slot / 6, float(bits)) for who, slot, bits in windows])
    judge = Judge(scores, [act(name, start / 6, (start + lasting) / 6)])

    curve = judge.curve
    alerts = [judge.alerts(threshold) for threshold in curve.thresholds]

    assert curve.thresholds.tolist() == sorted(set(scores.bits.tolist()), reverse=True)
    assert curve.every.tolist() == [len(own) for own in alerts]
    assert curve.false.tolist() == [sum(not alert.true for alert in own) for own in alerts]


@given(WINDOWS, st.integers(0, 4))
def test_a_curve_that_stops_early_knows_the_same_thresholds(windows: list[tuple[str, int, int]], allowed: int) -> None:
    judge = Judge(scored([(who, slot / 6, float(bits)) for who, slot, bits in windows]), [])

    assert judge.curve_until(allowed).at_most(allowed) == judge.curve.at_most(allowed)


def test_no_scores_are_no_alerts() -> None:
    judge = Judge(scored([]), [act("a", 0.0, 1.0)])

    assert (judge.alerts(0.0), judge.threshold(1.0), judge.caught(act("a", 0.0, 1.0), 0.0)) == ([], NEVER, False)
    assert np.array_equal(judge.curve.every, [])
