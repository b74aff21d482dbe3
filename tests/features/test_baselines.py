"""Baselines merge: what is learnt in parts is what is learnt at once, and it stays small."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.baselines import HALF_LIFE, TABLES, Baseline, decay, learn
from features.evidence import Normal, weigh
from features.extraction import extract_days
from features.magnitudes import QUANTILES, expect
from features.windows import FACTS_SCHEMA, ITEMS_SCHEMA, WINDOW, Windows, merge_windows, only_met
from tests.estates import Estate

START = datetime(2026, 9, 7, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
WORKLOAD, SENT, EDGE = "docker:shop/report", "network.bytes_out", "network.new_edge"


@pytest.fixture(scope="module")
def windows(estate: Estate) -> Windows:
    return merge_windows(list(extract_days(estate.lake, estate.until - timedelta(days=1), estate.until)))


def assert_same(left: Baseline, right: Baseline) -> None:
    """Equal tables; sums of floats may differ in the last digits by the order they were added in."""
    for name in TABLES:
        assert_frame_equal(getattr(left, name), getattr(right, name), rel_tol=1e-9, abs_tol=1e-12)


def met(*items: tuple[datetime, str]) -> Windows:
    """Lay out windows in which the workload met one thing each."""
    rows = [(WORKLOAD, at, EDGE, item, 1) for at, item in items]
    return only_met(pl.DataFrame(rows, ITEMS_SCHEMA, orient="row").sort("workload", "window_start", "feature", "item"))


def sent(*amounts: tuple[datetime, float]) -> Windows:
    """Lay out windows in which the workload sent so much."""
    values = pl.DataFrame(
        [(WORKLOAD, at, amount) for at, amount in amounts],
        {"workload": pl.String(), "window_start": pl.Datetime("us", "UTC"), SENT: pl.Float64()},
        orient="row",
    )
    return Windows(values, pl.DataFrame(schema=ITEMS_SCHEMA), pl.DataFrame(schema=FACTS_SCHEMA))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 143), min_size=2, max_size=2, unique=True))
def test_merge_is_associative_and_commutative(windows: Windows, estate: Estate, cuts: list[int]) -> None:
    """Three spans merged in any grouping and order equal the whole learnt at once."""
    since, until = estate.until - timedelta(days=1), estate.until
    one, two = sorted(cuts)
    edges = [since, since + one * WINDOW, since + two * WINDOW, until]
    first, second, third = (learn(windows, edges[i], edges[i + 1]) for i in range(3))

    whole = learn(windows, since, until)

    assert_same(first.merge(second).merge(third), whole)
    assert_same(first.merge(second.merge(third)), whole)
    assert_same(third.merge(first).merge(second), whole)


@settings(max_examples=25, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    names=st.lists(st.sampled_from("abcd"), min_size=6, max_size=6),
)
def test_merge_is_exact_over_weeks(gaps: list[int], names: list[str]) -> None:
    """Days learnt one by one, weeks apart, make what learning them together makes, whoever is merged with whom."""
    moments = [START + sum(gaps[:number]) * DAY for number in range(len(gaps) + 1)]
    whole = merge_windows(
        [
            met(*zip(moments, names, strict=False)),
            sent(*((at, 2.0 ** (3 * number)) for number, at in enumerate(moments))),
        ]
    )
    until = moments[-1] + DAY
    parts = [learn(whole, at, at + DAY) for at in moments]

    merged = parts[-1]
    for part in parts[:-1]:
        merged = merged.merge(part)

    assert_same(merged, learn(whole, START, until))


def test_a_baseline_does_not_grow_with_the_number_of_events(windows: Windows, estate: Estate) -> None:
    """A hundred times the connections in the same windows make tables of the same length."""
    since, until = estate.until - timedelta(days=1), estate.until
    busier = Windows(
        windows.values.with_columns(pl.col("network.connections") * 100),
        windows.items.with_columns(pl.col("count") * 100),
        windows.facts,
    )

    usual, busy = learn(windows, since, until), learn(busier, since, until)

    assert [len(usual.values), len(usual.items)] == [len(busy.values), len(busy.items)]


def test_only_the_span_is_learnt(windows: Windows, estate: Estate) -> None:
    """Windows outside [since, until) leave no trace."""
    until = estate.until - timedelta(hours=12)

    baseline = learn(windows, estate.until - timedelta(days=1), until)

    assert baseline.workloads["last_seen"].max() <= until
    assert baseline.items["last_seen"].max() < until


def test_what_lies_back_counts_less() -> None:
    """After a half-life a window counts half, and yet is not forgotten as seen."""
    once = learn(met((START, "a")), START, START + WINDOW)

    later = once.merge(Baseline.empty(START + WINDOW + HALF_LIFE))

    assert later.items["weight"].item() == pytest.approx(once.items["weight"].item() / 2)
    assert later.items.select("windows", "first_seen").row(0) == (1, START)


def test_a_weekly_job_keeps_its_baseline() -> None:
    """A job that runs for ten minutes a week knows its peer, and the hour that it runs at, after months."""
    runs = [START + week * 7 * DAY + timedelta(hours=3) for week in range(20)]
    everyday = [(START + day * DAY + timedelta(hours=9), 1e3) for day in range(140)]
    other = sent(*everyday)
    others = replace(other, values=other.values.with_columns(pl.lit("docker:shop/api").alias("workload")))
    baseline = Baseline.empty(START)
    for week in range(20):
        week_of = merge_windows([met((runs[week], "db:5432")), sent((runs[week], 1e6)), others])
        span = (START + week * 7 * DAY, START + (week + 1) * 7 * DAY)
        baseline = baseline.merge(learn(week_of, *span)).bounded()

    normal = Normal.of(baseline)
    monday, thursday = (START + days * DAY + timedelta(hours=3) for days in (140, 143))
    usual, other_day, stranger = (
        weigh(merge_windows([met((at, item)), sent((at, 1e6))]), normal).bits.sum()
        for at, item in ((monday, "db:5432"), (thursday, "db:5432"), (monday, "203.0.113.9:443"))
    )

    assert baseline.items.filter(pl.col("item") == "db:5432")["windows"].item() == 20
    assert usual < other_day < stranger


def test_what_is_long_gone_is_forgotten() -> None:
    """A workload that was seen once is forgotten after months, with all that it met."""
    baseline = learn(met((START, "a")), START, START + DAY)

    kept = baseline.merge(Baseline.empty(START + 5 * HALF_LIFE)).bounded()
    gone = baseline.merge(Baseline.empty(START + 8 * HALF_LIFE)).bounded()

    assert len(kept.items) == len(kept.workloads) == 1
    assert gone.items.is_empty()
    assert gone.workloads.is_empty()


def test_eviction_forgets_the_least_telling_first() -> None:
    """Of too many items those met once and long ago go first, and from when on all are remembered is told."""
    often = [(START + minutes * WINDOW, "often") for minutes in range(40)]
    once = [(START + minutes * WINDOW, f"once {minutes:02}") for minutes in range(40)]
    baseline = learn(met(*often, *once), START, START + DAY)

    bounded = baseline.bounded(most=11)

    assert sorted(bounded.items["item"]) == sorted(["often", *(f"once {minutes:02}" for minutes in range(30, 40))])
    assert bounded.forgotten["since"].item() == START + 29 * WINDOW
    assert bounded.bounded(most=11).items.equals(bounded.items)


def test_a_crawler_stays_a_crawler_when_items_are_evicted() -> None:
    """Who meets a new site in every window is not more surprised by one for having forgotten most of them."""
    moments = [START + number * WINDOW for number in range(4 * 144)]
    sites = met(*((at, f"site{number}:443") for number, at in enumerate(moments)))
    until = moments[-1] + WINDOW
    baseline = learn(merge_windows([sites, sent(*((at, 1e3) for at in moments))]), START, until)
    new = merge_windows([met((until, "another:443")), sent((until, 1e3))])

    whole, bounded = (weigh(new, Normal.of(known)).bits.sum() for known in (baseline, baseline.bounded(most=100)))

    assert bounded == pytest.approx(whole, abs=0.7)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(1.0, 1e9), min_size=5, max_size=200))
def test_quantiles_of_a_sketch_are_near(amounts: list[float]) -> None:
    """A quantile of the sketch is within a tenth of the value whose rank it has."""
    moments = [START + number * WINDOW for number in range(len(amounts))]
    until = START + len(amounts) * WINDOW
    baseline = learn(sent(*zip(moments, amounts, strict=True)), START, until)
    weights = np.array([decay(until - at) for at in moments])
    order = np.argsort(amounts)
    share = np.cumsum(weights[order]) / weights.sum()

    found = expect(baseline).workloads.select(f"q{at * 100:.0f}" for at in QUANTILES).row(0)

    for at, value in zip(QUANTILES, found, strict=True):
        near = np.array(amounts)[order][[np.argmax(share >= at - 1e-6), np.argmax(share >= min(at + 1e-6, share[-1]))]]
        assert near.min() / 1.1 <= value <= near.max() * 1.1
