import io
import itertools
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import lake_files
from features.classes import CLASSES, NETWORK, SYSTEM
from features.events import EVENT_SCHEMA, frame
from features.extraction import closed_until
from features.lake import MOST_SMALL_FILES, Lake
from features.lake_files import days_of, listed, micros, rows
from features.stores import Store

START = datetime(2026, 9, 14, 23, 0, tzinfo=UTC)


def events(count: int, *, step: timedelta = timedelta(minutes=1)) -> pl.DataFrame:
    return frame(
        {
            "ts": START + n * step,
            "event_id": n * 7919 % 10_007,
            "source": "zeek" if n % 2 else "docker_events",
            "kind": "flow" if n % 2 else "lifecycle",
            "dst_port": n,
            "answers": [str(n)],
        }
        for n in range(count)
    )


def test_what_is_added_is_read_back(lake: Lake) -> None:
    """Every column of every event survives, over midnight too."""
    added = events(200)

    assert lake.append(added) == 200
    assert_frame_equal(lake.read(), added.sort("ts", "event_id"))
    assert_frame_equal(pl.concat(lake.parts()).sort("ts", "event_id"), added.sort("ts", "event_id"))
    assert {file.day for file in listed(lake.store)} == {date(2026, 9, 14), date(2026, 9, 15)}


def test_adding_twice_adds_nothing(lake: Lake) -> None:
    """Repeats, within a batch and against what is there, are left out and not counted, by another process too."""
    assert lake.append(pl.concat([events(50), events(50)])) == 50
    assert lake.append(events(50)) == 0
    assert Lake(lake.store).append(events(60)) == 10
    assert lake.append(events(61)) == 1
    assert lake.read().height == 61


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(st.permutations(range(6)), st.sets(st.integers(1, 119), max_size=5))
def test_reading_does_not_depend_on_how_events_were_added(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: set[int]
) -> None:
    """Any split into batches, in any order, with overlaps, reads as the same frame."""
    whole = events(120)
    bounds = [0, *sorted(cuts), 120]
    parts = [whole[max(0, a - 3) : b] for a, b in itertools.pairwise(bounds)]
    lake = Lake(tmp_path_factory.mktemp("lake"))
    added = sum(lake.append(parts[n]) for n in order if n < len(parts))
    assert added == 120
    assert_frame_equal(lake.read(), whole.sort("ts", "event_id"))


def test_reading_can_be_narrowed(lake: Lake) -> None:
    """`since` is in, `until` is out; kinds and columns are chosen in the order asked for."""
    lake.append(events(200))
    since, until = START + timedelta(minutes=50), START + timedelta(minutes=71)
    narrowed = lake.read(since, until, kinds={"flow"}, columns=["dst_port", "ts"])
    assert narrowed.columns == ["dst_port", "ts"]
    assert narrowed["dst_port"].to_list() == list(range(51, 71, 2))


def test_empty_lake_reads_as_an_empty_frame(lake: Lake) -> None:
    """Before the first event there is a frame of the right shape, no span and no counts."""
    assert lake.read().schema == pl.Schema(EVENT_SCHEMA)
    assert lake.read(columns=["kind"]).columns == ["kind"]
    assert lake.span() is None
    assert lake.counts() == {}
    assert lake.holdings() == []
    assert lake.append(frame([])) == 0


def test_span_and_counts(lake: Lake) -> None:
    """The span is that of the events, however they are spread over files; counts are by source."""
    lake.append(events(200)[100:])
    lake.append(events(100))
    assert lake.span() == (START, START + timedelta(minutes=199))
    assert lake.counts() == {"docker_events": 100, "zeek": 100}


def test_known_events_are_those_that_were_added(lake: Lake) -> None:
    """Whatever file holds an event, it is known; others of the same time are not."""
    lake.append(events(60, step=timedelta(hours=1))[::2])
    assert lake.known(events(60, step=timedelta(hours=1))).to_list() == [True, False] * 30
    assert lake.known(events(0)).to_list() == []


def test_a_clock_that_runs_ahead_closes_no_window(lake: Lake) -> None:
    """Windows are closed up to the latest event that lies not after now, on the same day or another."""
    lake.append(events(30))
    now = START + timedelta(minutes=30)
    assert closed_until(lake, now) == START + timedelta(minutes=20)
    lake.append(frame([{"ts": datetime(2099, 1, 1, tzinfo=UTC), "event_id": 1, "kind": "flow"}]))
    assert closed_until(lake, now) == START + timedelta(minutes=20)
    lake.append(frame([{"ts": now + timedelta(minutes=20), "event_id": 2, "kind": "flow"}]))
    assert closed_until(lake, now) == START + timedelta(minutes=20)
    assert closed_until(lake, now + timedelta(hours=1)) == START + timedelta(minutes=50)


def test_days_are_those_that_hold_events(lake: Lake) -> None:
    """A stray old event adds its own day, not the years between."""
    kept = events(3, step=timedelta(days=2))
    first = kept["ts"].min()
    lake.append(
        pl.concat(
            [
                kept,
                events(1).with_columns(
                    ts=pl.lit(datetime(1970, 1, 1, 5, tzinfo=UTC)), event_id=pl.lit(7, kept["event_id"].dtype)
                ),
            ]
        )
    )

    days = lake.days(datetime(1970, 1, 1, tzinfo=UTC), first + timedelta(days=4))

    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    assert days == [datetime(1970, 1, 1, tzinfo=UTC), midnight, midnight + timedelta(days=2)]
    assert lake.days(first + timedelta(days=1), first + timedelta(days=1, hours=1)) == []


def test_only_the_owner_can_read_the_lake(tmp_path: Path) -> None:
    """Telemetry is nobody else's: directories 0700, files 0600."""
    lake = Lake(tmp_path / "lake")
    lake.append(events(3))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [tmp_path / "lake", *tmp_path.rglob("date=*")]}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*.parquet")} == {0o600}


def test_unfinished_file_of_a_killed_writer_is_not_read(tmp_path: Path) -> None:
    """What a killed process left half written is no part of the lake, and the events can be added again."""
    lake = Lake(tmp_path)
    lake.append(events(3))
    for finished in list(tmp_path.rglob("*.parquet")):
        finished.rename(finished.with_suffix(".123.tmp"))

    assert lake.read().height == 0
    assert lake.append(events(3)) == 3


def test_writers_at_the_same_time_add_each_event_once(store: Store) -> None:
    """Two that add the same events at once add them once between them."""
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda _: Lake(store).append(events(300)), range(8)))

    assert sum(added) == 300
    assert Lake(store).read().height == 300


def test_events_written_before_a_column_existed_are_still_read(tmp_path: Path) -> None:
    """A file of an earlier version lacks newer columns; they read as null."""
    lake = Lake(tmp_path)
    lake.append(events(5))
    for path in tmp_path.rglob("*.parquet"):
        assert "ja4" not in pl.read_parquet_schema(path)
        pl.read_parquet(path).with_columns(pl.lit(1).alias("gone")).write_parquet(path)
    assert lake.read()["ja4"].null_count() == 5


def test_many_small_additions_leave_few_files(lake: Lake) -> None:
    """An intake of a few events at a time does not drown the lake in files, and loses nothing by it."""
    whole = events(200, step=timedelta(seconds=10))

    for n in range(200):
        assert lake.append(whole[n : n + 2]) == (2 if n == 0 else 1 if n < 199 else 0)

    assert len(listed(lake.store)) <= 2 * (MOST_SMALL_FILES + 1)  # two classes
    assert_frame_equal(lake.read(), whole.sort("ts", "event_id"))


@pytest.mark.slow
def test_reading_while_files_are_merged_sees_each_event_once(store: Store) -> None:
    """A reader beside a busy writer sees a growing lake, never a repeat and never a gap."""
    whole = events(400, step=timedelta(seconds=10))
    Lake(store).append(whole[:1])

    def write() -> None:
        lake = Lake(store)
        for n in range(1, 400):
            lake.append(whole[n : n + 1])
            if n % 50 == 0:
                lake.compact(whole["ts"].max() + timedelta(days=1))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = [0]
        while not writing.done():
            ids = Lake(store).read(columns=["event_id"])["event_id"]
            assert ids.n_unique() == ids.len() >= seen[-1]
            seen.append(ids.len())
        writing.result()
    assert_frame_equal(Lake(store).read(), whole.sort("ts", "event_id"))


def test_merge_that_was_killed_half_way_repeats_nothing(tmp_path: Path) -> None:
    """Merged and unmerged files beside each other read as each event once."""
    lake = Lake(tmp_path)
    lake.append(events(10)[:5])
    lake.append(events(10)[5:])
    half = next(tmp_path.rglob("*.parquet"))
    pl.read_parquet(half).write_parquet(half.with_name(half.name.replace(".v1", "0.v1")))
    assert_frame_equal(lake.read(), events(10).sort("ts", "event_id"))


def unclassed(lake: Lake, added: pl.DataFrame) -> None:
    """Fill a lake as it was before there were classes, and versions of the schema."""
    for day, part in days_of(added):
        start, end = micros(part["ts"][0]), micros(part["ts"][-1])
        content = io.BytesIO()
        part.write_parquet(content)
        lake.store.write(f"date={day}/{start}-{end}-0123456789abcdef.parquet", content.getbuffer())


def test_lake_from_before_there_were_classes_is_read_and_added_to(lake: Lake) -> None:
    """An old lake opens as it is: everything in it is read, by kind too, and nothing of it is added twice."""
    unclassed(lake, events(200))

    assert_frame_equal(lake.read(), events(200).sort("ts", "event_id"))
    assert lake.read(kinds={"flow"}).height == 100
    assert lake.append(events(201)) == 1


@pytest.mark.parametrize("fill", [unclassed, Lake.append])
def test_each_class_is_kept_for_its_own_span(fill: Callable[[Lake, pl.DataFrame], object], lake: Lake) -> None:
    """Whole days go, of the class that is over only; a class without a span stays, and so do all other events."""
    whole, midnight = events(200), datetime(2026, 9, 15, tzinfo=UTC)
    fill(lake, whole)

    assert lake.expire({NETWORK: timedelta(days=2)}, midnight + timedelta(days=2) - timedelta(seconds=1)) == 0
    assert_frame_equal(lake.read(), whole.sort("ts", "event_id"))
    assert lake.expire({NETWORK: timedelta(days=2)}, midnight + timedelta(days=2)) == 1

    kept = (pl.col("kind") != "flow") | (pl.col("ts") >= midnight)
    assert_frame_equal(lake.read(), whole.filter(kept).sort("ts", "event_id"))


def test_files_of_a_class_that_was_not_asked_for_are_not_opened(tmp_path: Path) -> None:
    """Reading containers' lives does not touch the flows, which are most of a lake."""
    lake = Lake(tmp_path)
    lake.append(events(10))
    for path in tmp_path.rglob(f"{NETWORK}-*.parquet"):
        path.write_bytes(b"not Parquet")
    assert lake.read(kinds={"lifecycle"}).height == 5
    assert CLASSES["lifecycle"] == SYSTEM


def test_no_file_is_larger_than_a_task(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large additions and merged files are cut by time, so that a file is read within a task's memory."""
    monkeypatch.setattr(lake_files, "MOST_ROWS", 30)
    whole = events(400, step=timedelta(seconds=1))
    lake.append(whole[:200])
    for n in range(200, 400):
        lake.append(whole[n : n + 1])

    assert max(rows(lake.store, [file]) for file in listed(lake.store)) <= 30
    assert_frame_equal(lake.read(), whole.sort("ts", "event_id"))


def test_copy_takes_events_and_leaves_the_first_alone(lake: Lake, tmp_path: Path) -> None:
    """A copy holds what the lake held then; what is added to it is not in the lake."""
    lake.append(events(5))

    other = lake.copy_to(tmp_path / "copy")
    other.append(events(10)[5:])

    assert other.read().height == 10
    assert_frame_equal(lake.read(), events(5).sort("ts", "event_id"))


def test_holdings_sum_up_each_day_and_class(lake: Lake) -> None:
    """Files, events, bytes and span of every day and class, in their order."""
    lake.append(events(200)[100:])
    lake.append(events(100))

    found = lake.holdings()

    assert [(held.day.day, held.kept, held.files, held.events) for held in found] == [
        (14, NETWORK, 1, 30),
        (14, SYSTEM, 1, 30),
        (15, NETWORK, 2, 70),
        (15, SYSTEM, 2, 70),
    ]
    assert (min(held.first for held in found), max(held.last for held in found)) == lake.span()
    assert sum(held.size for held in found) == sum(file.size for file in listed(lake.store))
    assert not any(held.old for held in found)
