"""Training from night to night gives what training anew gives, and learns each day once."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.baseline_audit import compare
from features.baselines import TABLES
from features.extraction import extract_days, floor_day
from features.windows import KEY, Windows, merge_windows
from models.held_out import HeldOut, steps
from models.learning import Guarded, InMemory, Learnt, learn_in_steps
from models.learning_store import STATES, LearningStore
from models.nightly import Night, learn_nightly
from models.quarantine import Attack, Guard
from tests.estates import Estate

DAY = timedelta(days=1)
DAYS = 8
EXACT = Guard(lasting=timedelta(0))


@dataclass
class Nights:
    """Windows of days, in two parts; counts how many windows were read in full."""

    windows: Windows
    read_in_full: list[datetime] = field(default_factory=list)

    def read(self, since: datetime, until: datetime, *, workloads: Collection[str] | None = None) -> Windows:
        return InMemory(self.windows).read(since, until, workloads=workloads)

    def parts(self, since: datetime, until: datetime) -> Iterator[Windows]:
        self.read_in_full.append(since)
        names = self.windows.values["workload"].unique().sort().to_list()
        yield self.read(since, until, workloads=names[::2])
        yield self.read(since, until, workloads=names[1::2])

    def fingerprint(self, day: datetime) -> str:
        found = self.windows.between(day, day + DAY)
        return f"{found.values.hash_rows().sum()} {found.items.hash_rows().sum()}"


@pytest.fixture(scope="module")
def days(estate: Estate) -> tuple[Windows, datetime]:
    """Eight days made of two, and when the first begins."""
    since = floor_day(estate.until) - 2 * DAY
    two = merge_windows(list(extract_days(estate.lake, since, since + 2 * DAY)))

    def moved(table: pl.DataFrame, by: timedelta) -> pl.DataFrame:
        return table.with_columns(pl.col("window_start") + by)

    shifts = [2 * number * DAY for number in range(DAYS // 2)]
    parts = [Windows(moved(two.values, by), moved(two.items, by), two.facts) for by in shifts]
    names = two.values["workload"].unique().sort().to_list()[::3]
    return InMemory(merge_windows(parts)).read(since, since + DAYS * DAY, workloads=names), since


def learnt(nights: Nights, folder: Path, since: datetime, days: float, guard: Guard = EXACT) -> Night:
    return learn_nightly(nights, LearningStore(folder), since, since + days * DAY, guard)


def anew(windows: Windows, since: datetime, until: datetime) -> Learnt:
    source = InMemory(windows)
    return learn_in_steps(source, steps(since, until), Learnt.nothing(since), Guarded(source, since, until, EXACT))


def assert_same(night: Night, other: Learnt) -> None:
    """Everything that a model is fitted on is the same to the last bit."""
    for name in TABLES:
        assert_frame_equal(getattr(night.learnt.baseline, name), getattr(other.baseline, name), check_exact=True)
    one, two = (HeldOut.concat([kept() for kept in found.held_out]) for found in (night.learnt, other))
    assert one.keys.equals(two.keys)
    assert np.array_equal(one.bits, two.bits)


def test_night_by_night_is_what_anew_is(days: tuple[Windows, datetime], tmp_path: Path) -> None:
    """After three nights the model is, to the last bit, the one that is trained at once; each day is read once."""
    windows, since = days
    nights = Nights(windows)
    for night in (6, 7, 8):
        last = learnt(nights, tmp_path, since, night)

    assert_same(last, anew(windows, since, since + DAYS * DAY))
    assert sorted(nights.read_in_full) == [since + day * DAY for day in range(DAYS)]


def test_missed_nights_and_a_day_that_has_begun(days: tuple[Windows, datetime], tmp_path: Path) -> None:
    """Nights that were missed are made up for, and what of today is learnt is learnt again when it is whole."""
    windows, since = days
    for night in (6, 6.5, 8):
        last = learnt(Nights(windows), tmp_path, since, night)

    assert_same(last, anew(windows, since, since + DAYS * DAY))
    assert len(list(LearningStore(tmp_path).states())) <= STATES


def test_late_telemetry_is_learnt_from_the_day_it_is_of(days: tuple[Windows, datetime], tmp_path: Path) -> None:
    """A day that changed is learnt anew with all days after it, and none before it."""
    windows, since = days
    learnt(Nights(windows), tmp_path, since, 7)
    late = pl.when(pl.col("window_start") >= since + 6 * DAY).then(1).otherwise(0)
    values = windows.values.with_columns(pl.col("network.connections") + late)
    changed = Nights(Windows(values, windows.items, windows.facts))

    night = learnt(changed, tmp_path, since, 8)

    assert_same(night, anew(changed.windows, since, since + DAYS * DAY))
    assert changed.read_in_full == [since + 6 * DAY, since + 7 * DAY]


def test_a_late_verdict_takes_out_what_was_learnt(days: tuple[Windows, datetime], tmp_path: Path) -> None:
    """What a person calls an attack leaves the baseline although it was learnt nights ago; nothing else changes."""
    windows, since = days
    learnt(Nights(windows), tmp_path, since, 7)
    row = windows.items.filter(pl.col("window_start") < since + 2 * DAY).row(0, named=True)
    attack = Attack(row["workload"], row["window_start"], row["window_start"] + DAY, [(row["feature"], row["item"])])

    night = learnt(Nights(windows), tmp_path, since, 8, Guard(attacks=[attack], lasting=timedelta(0)))

    key = ["workload", "feature", "item"]
    served = night.guarded.take_from(night.learnt.baseline).items
    gone = anew(windows, since, since + DAYS * DAY).baseline.items.join(served, on=key, how="anti")
    assert gone.select(key).rows() == [(row["workload"], row["feature"], row["item"])]


def test_memory_reaches_back_beyond_the_windows_at_hand(days: tuple[Windows, datetime], tmp_path: Path) -> None:
    """When the first windows are gone, what they taught is still known, and the audit tells how much that is."""
    windows, since = days
    learnt(Nights(windows), tmp_path, since, 6)
    left = Nights(windows.between(since + 2 * DAY, None))

    remembered = learn_nightly(left, LearningStore(tmp_path), since + 2 * DAY, since + DAYS * DAY, EXACT)

    assert remembered.learnt.baseline.since == since
    exact = anew(left.windows, since + 2 * DAY, since + DAYS * DAY).baseline
    known = {one.table: one for one in compare(remembered.learnt.baseline, exact)}
    assert known["workloads"].rows == len(exact.workloads)
    assert 0 < known["workloads"].largest < 0.5


def test_short_history_is_learnt_anew(days: tuple[Windows, datetime], tmp_path: Path) -> None:
    """With two days there is nothing to weigh day by day: shares of the span are weighed, and nothing is kept."""
    windows, since = days

    night = learnt(Nights(windows), tmp_path, since, 2)

    assert_same(night, anew(windows.between(since, since + 2 * DAY), since, since + 2 * DAY))
    assert not list(LearningStore(tmp_path).states())


def test_order_of_windows_is_that_of_their_keys(days: tuple[Windows, datetime]) -> None:
    """The two parts hold each window once."""
    windows, since = days
    parts = list(Nights(windows).parts(since, since + DAY))

    both = merge_windows(parts)

    assert both.values.select(KEY).equals(windows.between(since, since + DAY).values.select(KEY))
