"""Regular calls are told from irregular ones, in spite of jitter, missed check-ins and several connections each."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import beacons
from features.beacons import DEAD_TIMES, GAPS, TRIES, latest, strength, strengths
from features.events import TIME
from features.windows import window_start

DAY = 86_400.0
START = datetime(2026, 9, 14, tzinfo=UTC)

# in seconds: bursts, check-ins, and pauses about as long as a dead time and as the day that is looked at
STEPS = (0.0, 0.000_001, 4.0, 5.0, 10.0, 10.000_001, 60.0, 61.5, 900.0, 7200.0, DAY - 60.0, DAY)
edge_times = st.lists(st.sampled_from(STEPS), min_size=1, max_size=70).map(
    lambda steps: [
        START + timedelta(microseconds=int(moment)) for moment in np.cumsum(np.rint(np.multiply(steps, 1e6)))
    ]
)


def times(period: float, jitter: float, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.cumsum(period * (1 + rng.uniform(-jitter, jitter, count)))


def strength_by_definition(times: list[datetime], at: datetime) -> float:
    """Walk the calls up to a moment, one by one, and look at each view of their latest gaps."""
    best = 0.0
    for dead in (timedelta(seconds=seconds) for seconds in DEAD_TIMES):
        calls: list[datetime] = []
        for moment in times:
            if moment <= at and (not calls or moment - calls[-1] >= dead):
                calls.append(moment)
        for width in GAPS:
            if len(calls) > width and (at - calls[-1 - width]).total_seconds() <= DAY:
                gaps = sorted(after - before - dead for before, after in pairwise(calls[-1 - width :]))
                near, far = gaps[width // 4 - 1], gaps[3 * width // 4 - 1]
                if near > timedelta():
                    best = max(best, bits_of_ratio(far / near, width))
    return max(best - np.log2(TRIES), 0.0)


def bits_of_ratio(ratio: float, width: int) -> float:
    ratios, chance = beacons._RATIOS, beacons._chance(width)
    return float(np.interp(np.log(max(ratio - 1, ratios[0])), np.log(ratios), chance, right=0.0))


@pytest.mark.parametrize("period", [10.0, 60.0, 900.0])
@pytest.mark.parametrize("jitter", [0.0, 0.2, 0.5])
def test_a_beacon_is_no_chance_at_any_period_and_up_to_half_its_jitter(period: float, jitter: float) -> None:
    """A beacon within a day scores above ten bits at most of its check-ins, once there are enough."""
    calls = times(period, jitter, 90, seed=1)

    assert np.mean(strength(calls, calls[GAPS[-1] :]) > 10) > 0.9


@pytest.mark.parametrize(("period", "bits"), [(6 * 3600.0, 5.0), (3 * 3600.0, 10.0), (3600.0, 15.0)])
def test_a_slow_beacon_shows_within_the_few_check_ins_of_a_day(period: float, bits: float) -> None:
    """Four even gaps say something already, eight more."""
    calls = times(period, 0.01, int(DAY / period) + 1, seed=2)

    assert strength(calls, calls[-1:])[0] > bits


def test_chance_reaches_a_score_no_more_often_than_the_score_says() -> None:
    """Of Poisson processes at most one in 2**b has b bits, whatever their rate against the dead time."""
    for rate in (0.003, 0.1, 3.0):
        rng = np.random.default_rng(5)
        found = []
        for _ in range(400):
            calls = np.cumsum(rng.exponential(1 / rate, 60))
            found.append(strength(calls, calls[-1:])[0])
        assert np.mean(np.array(found) >= 4) <= 2**-4 + 0.02
        assert np.mean(np.array(found) >= 8) <= 2**-8 + 0.01


def test_missed_check_ins_do_not_hide_a_beacon() -> None:
    """One call in ten left out, at random, leaves a beacon far from chance."""
    kept = np.random.default_rng(3).random(90) > 0.1
    calls = times(60.0, 0.2, 90, seed=2)[kept]

    assert strength(calls, calls[-1:])[0] > 15


def test_a_check_in_may_be_several_connections() -> None:
    """Three connections within two seconds of each check-in are one call."""
    calls = np.sort(np.concatenate([times(60.0, 0.1, 60, seed=4) + delay for delay in (0.0, 0.4, 1.9)]))

    assert strength(calls, calls[-1:])[0] > 30


def test_nothing_after_a_moment_is_seen_and_nothing_older_than_a_day() -> None:
    """A score is that of the calls of the day before it; too few of them have none."""
    calls = times(60.0, 0.1, 60, seed=6)

    early = strength(calls, calls[30:31])
    assert early == strength(calls[:31], calls[30:31])
    assert strength(calls, calls[GAPS[0] - 1 : GAPS[0]]) == 0
    assert strength(7 * 3600.0 * np.arange(20), np.array([7 * 3600.0 * 19])) == 0
    assert strength(np.zeros(50), np.zeros(1)) == 0
    assert len(strength(np.zeros(0), np.zeros(0))) == 0


def test_every_edge_is_judged_by_its_own_calls() -> None:
    """Of two edges of one workload the even one is strong, the uneven one not, once for each window."""
    uneven = np.sort(np.random.default_rng(7).uniform(0, 6000, 100))
    flows = pl.DataFrame(
        {
            "workload": "docker:shop/api",
            "edge": ["even:443"] * 100 + ["uneven:443"] * 100,
            "ts": pl.Series(
                [START + timedelta(seconds=float(second)) for second in [*(60.0 * np.arange(100)), *uneven]], dtype=TIME
            ),
        }
    ).with_columns(window_start())

    found = strengths(flows.sample(fraction=1.0, shuffle=True, seed=1))

    last = found.sort("window_start").group_by("edge").agg(pl.col("strength").last(), pl.len())
    strong = dict(last.select("edge", "strength").iter_rows())
    assert strong["even:443"] > 100
    assert strong["uneven:443"] < 12
    assert set(last["len"]) == {10}


@settings(max_examples=50)
@given(st.lists(edge_times, max_size=4))
def test_all_edges_at_once_are_judged_as_the_definition_judges_each(fleet: list[list[datetime]]) -> None:
    """At the last call of every edge in every window the bits are those of its own calls."""
    calls = [(f"e{edge}", moment) for edge, times in enumerate(fleet) for moment in times]
    flows = pl.DataFrame(calls, schema={"edge": pl.String, "ts": TIME}, orient="row").with_columns(
        window_start(), pl.lit("docker:shop/api").alias("workload")
    )

    found = strengths(flows.sample(fraction=1.0, shuffle=True, seed=1)).sort("edge", "window_start")

    last = flows.filter(pl.len().over("edge") > GAPS[0]).group_by("edge", "window_start").agg(pl.col("ts").max())
    last = last.sort("edge", "window_start")
    expected = [strength_by_definition(fleet[int(edge[1:])], at) for edge, at in last.select("edge", "ts").iter_rows()]
    assert found.select("edge", "window_start").rows() == last.select("edge", "window_start").rows()
    assert found["strength"].to_list() == pytest.approx(expected, rel=1e-9)


@settings(max_examples=50)
@given(edges=st.lists(edge_times, min_size=1, max_size=3), cut=st.integers(0, 70))
def test_the_latest_calls_judge_later_ones_as_all_would(edges: list[list[datetime]], cut: int) -> None:
    """Of what lies before a window no more is needed than the latest calls, however often they are taken."""
    calls = pl.DataFrame(
        [("a", f"b:{number}", moment) for number, times in enumerate(edges) for moment in times],
        schema={"workload": pl.String, "edge": pl.String, "ts": TIME},
        orient="row",
    ).sort("ts")
    since = calls["ts"][min(cut, len(calls) - 1)]
    before, later = calls.filter(pl.col("ts") < since), calls.filter(pl.col("ts") >= since)
    halves = before.head(len(before) // 2), before.tail(-(len(before) // 2))

    kept = latest(pl.concat([latest(halves[0]), halves[1]]))

    judged = [strengths(some, since).sort(pl.all()) for some in (calls, pl.concat([kept, later]))]
    windows = [found.filter(pl.col("window_start") >= since) for found in judged]
    assert windows[0].filter(pl.col("strength") > 0).equals(windows[1].filter(pl.col("strength") > 0))
    assert len(kept) <= 2 * (beacons.LATEST) * len(edges)
