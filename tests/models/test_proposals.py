"""What is proposed for a verdict is what tells most of the other alerts."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.incidents import Alert, alerts
from models.proposals import propose
from models.scores import BaselineInfo, Reason, Score

START = datetime(2026, 9, 14, tzinfo=UTC)
THRESHOLD = 10.0
TEXT = "%Y-%m-%dT%H:%M:%SZ"


def reason(value: str, bits: float = 12.0, amount: float | None = None, explained: str | None = None) -> Reason:
    return Reason(
        feature="network.bytes_out" if amount else "network.new_edge",
        value=value,
        expected="",
        bits=bits,
        technique="T1071",
        text=value,
        amount=amount,
        explained=explained,
    )


def alert(workload: str, day: int, *reasons: Reason, bits: float = 12.0, maturity: float = 1.0) -> Alert:
    start = START + timedelta(days=day)
    score = Score(
        workload=workload,
        window_start=start.strftime(TEXT),
        window_end=(start + timedelta(minutes=10)).strftime(TEXT),
        score=bits / (bits + 10),
        bits=bits,
        p_value=2**-bits,
        severity="high",
        evidence={},
        reasons=list(reasons),
        baseline=BaselineInfo(level="workload", maturity=maturity, windows=100),
        model="m",
    )
    (found,) = alerts([score])
    return found


def test_the_first_of_many_alike_is_proposed_and_only_once() -> None:
    """Of three alerts about one edge the earliest, which settles all three, comes first, and the lone one second."""
    alike = [alert("a", day, reason("x:1")) for day in range(3)]
    lone = alert("b", 0, reason("y:1"))

    found = propose([lone, *reversed(alike)], THRESHOLD, {}, limit=2)

    assert [one.alert for one in found] == [alike[0], lone]
    assert found[0].settles == 3.0
    assert "2.0 other alerts" in found[0].why


def test_only_kin_are_settled() -> None:
    """The same edge of another workload counts only where a verdict holds for both."""
    both = [alert("a", 0, reason("x:1")), alert("b", 1, reason("x:1"))]

    assert propose(both, THRESHOLD, {}, limit=1)[0].settles == 1.0
    assert propose(both, THRESHOLD, {"a": "kin", "b": "kin"}, limit=1)[0].settles == 2.0


def test_a_larger_amount_is_not_settled() -> None:
    """A verdict on a volume settles a later one that is smaller, and not one that is larger."""
    first, less, more = (alert("a", day, reason("MB", amount=n)) for day, n in enumerate((5e6, 4e6, 6e6)))

    found = propose([first, less, more], THRESHOLD, {}, limit=1)

    assert found[0].alert == first
    assert found[0].settles == 2.0


def test_what_somebody_vouched_for_is_not_counted() -> None:
    """Reasons that are explained already make no two alerts alike."""
    both = [alert("a", day, reason("x:1", explained="c1"), reason(f"{day}:1")) for day in range(2)]

    assert propose(both, THRESHOLD, {}, limit=1)[0].settles == 1.0


def test_doubtful_alerts_come_first() -> None:
    """Near the threshold comes before far above it, and of two equal alerts the one with the younger baseline first."""
    near, far = alert("b", 0, reason("x:1"), bits=10.5), alert("a", 0, reason("y:1"), bits=40.0)
    young = alert("c", 0, reason("z:1"), bits=10.5, maturity=0.1)

    found = propose([far, near, young], THRESHOLD, {})

    assert [one.alert for one in found] == [young, near, far]


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.sampled_from("xyz"), st.floats(10, 60)), max_size=8
    ),
    st.integers(1, 6),
)
def test_no_alert_is_settled_twice(drawn: list[tuple[str, int, str, float]], limit: int) -> None:
    """Proposals are different alerts, as many as asked for where there are, and settle together at most all of them."""
    found = [
        alert(name, 2 * place + day, reason(item), bits=bits) for place, (name, day, item, bits) in enumerate(drawn)
    ]

    chosen = propose(found, THRESHOLD, {"a": 1, "b": 1}, limit=limit)

    assert len(chosen) == min(limit, len(found))
    assert len({id(one.alert) for one in chosen}) == len(chosen)
    assert sum(one.settles for one in chosen) <= len(found) + 1e-9
