"""Which windows a model is fitted on."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from features.protocols import specs
from models.held_out import FOLDS, HeldOut, days_between, steps

START = datetime(2026, 9, 7, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOWS = 12


def evidence(workloads: int, day: int = 0) -> HeldOut:
    """Lay out windows whose first bit is the number of their workload."""
    numbers = np.repeat(np.arange(workloads), WINDOWS)
    moments = [START + day * DAY + number % WINDOWS * timedelta(minutes=10) for number in range(len(numbers))]
    keys = pl.DataFrame(
        {"workload": [f"docker:p/{number}" for number in numbers], "window_start": moments},
        schema_overrides={"workload": pl.String(), "window_start": pl.Datetime("us", "UTC")},
    )
    bits = np.zeros((len(numbers), len(specs())))
    bits[:, 0] = numbers
    return HeldOut(keys.with_columns(cohort=pl.lit("docker:p"), image_repository=pl.lit(None, pl.String)), bits)


def test_a_large_fleet_is_thinned_by_whole_workloads() -> None:
    """Of a fleet too large whole workloads are kept, about the share that is told, each with its own bits."""
    thinned = evidence(1000).thinned(most=4000)

    windows = thinned.keys.group_by("workload").len()["len"]
    assert windows.unique().to_list() == [WINDOWS]
    assert len(thinned.keys) <= 4000
    assert len(windows) / 1000 == pytest.approx(thinned.share, rel=0.25)
    assert [f"docker:p/{number:.0f}" for number in thinned.bits[:, 0]] == thinned.keys["workload"].to_list()


def test_days_thinned_apart_are_of_the_same_workloads() -> None:
    """Joined with a day that was thinned more, the other day keeps the same workloads."""
    both = HeldOut.concat([evidence(1000).thinned(most=8000), evidence(1000, day=1).thinned(most=2000)])

    days = both.keys.group_by(pl.col("window_start").dt.date()).agg(pl.col("workload").unique().sort())
    assert len(days) == 2
    assert days["workload"][0].equals(days["workload"][1])
    assert both.share == evidence(1000).thinned(most=2000).share


def test_a_small_fleet_is_kept_whole() -> None:
    """What is few enough is not thinned."""
    assert evidence(10).thinned(most=WINDOWS * 10).share == 1.0


@pytest.mark.parametrize(
    ("hours", "first", "count"),
    [(7 * 24, START + 4 * DAY, 3), (6 * 24 + 6, START + 4 * DAY, 3), (2 * 24, START + DAY, len(FOLDS) - 1)],
)
def test_steps_are_days_where_there_are_enough(hours: int, first: datetime, count: int) -> None:
    """The later half is parted at midnight, or by shares where that makes too few parts; without gaps to the end."""
    until = START + timedelta(hours=hours)

    parts = steps(START, until)

    assert (parts[0][0], len(parts), parts[-1][1]) == (first, count, until)
    assert all(before[1] == after[0] for before, after in pairwise(parts))


def test_days_between_are_cut_at_midnight() -> None:
    """A span is cut at each midnight in UTC and nowhere else."""
    since, until = START + timedelta(hours=5), START + timedelta(days=2, hours=1)

    assert days_between(since, until) == [
        (since, START + DAY),
        (START + DAY, START + 2 * DAY),
        (START + 2 * DAY, until),
    ]
