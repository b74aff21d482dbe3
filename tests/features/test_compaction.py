from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import compaction, lake_files
from features.classes import NETWORK
from features.events import frame
from features.lake import Lake
from features.lake_files import BusyError, listed, rows
from features.locks import locked
from features.stores import Directory

DAY = datetime(2026, 9, 14, tzinfo=UTC)
TOMORROW = DAY + timedelta(days=1)


def flows(*numbers: int) -> pl.DataFrame:
    """Give flows of a day; three at a time share a time."""
    return frame(
        {
            "ts": DAY + timedelta(seconds=n // 3),
            "event_id": n * 7919 % 10_007,
            "source": "zeek",
            "kind": "flow",
            "dst_port": n,
        }
        for n in numbers
    )


@pytest.fixture
def scattered(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake of 100 flows in ten files of which each spans the day, where a file should hold 30."""
    for start in range(10):
        lake.append(flows(*range(start, 100, 10)))
    monkeypatch.setattr(lake_files, "MOST_ROWS", 30)
    return lake


def test_compaction_leaves_few_files_in_the_order_of_time(scattered: Lake) -> None:
    """As few full files as may be, one after the other in time, hold what many held; they are told of."""
    before = scattered.read()

    (done,) = scattered.compact(TOMORROW)

    files = listed(scattered.store)
    assert [rows(scattered.store, [file]) for file in files] == [30, 30, 30, 10]
    assert all(earlier.last <= later.first for earlier, later in pairwise(files))
    assert_frame_equal(scattered.read(), before)
    assert (done.kept, done.files_before, done.files) == (NETWORK, 10, 4)
    assert done.size == sum(file.size for file in files)


def test_compact_files_are_left_alone(scattered: Lake) -> None:
    """A second compaction finds nothing to do; nor is a day touched that is not over, or has few files."""
    assert scattered.compact(TOMORROW - timedelta(seconds=1)) == []
    assert scattered.compact(TOMORROW, most=10) == []
    assert len(scattered.compact(TOMORROW, most=9)) == 1
    assert scattered.compact(TOMORROW) == []


def test_what_comes_late_is_found_by_the_next_compaction(scattered: Lake) -> None:
    """Events that arrive after a day was compacted are neither lost nor repeated, and are sorted in."""
    scattered.compact(TOMORROW)

    assert scattered.append(flows(*range(90, 110))) == 10
    scattered.compact(TOMORROW)

    assert_frame_equal(scattered.read(), flows(*range(110)).sort("ts", "event_id"))
    assert len(listed(scattered.store)) == 4


def test_killed_compaction_is_taken_up_where_it_was(scattered: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two files, all events read as once; the next one writes only what is missing, and cleans up."""
    before, written = scattered.read(), []
    write = type(scattered.store).write

    def counting(store: object, name: str, content: memoryview) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        write(store, name, content)  # type: ignore[arg-type]  # the store itself
        written.append(name)

    monkeypatch.setattr(type(scattered.store), "write", counting)
    with pytest.raises(KeyboardInterrupt):
        scattered.compact(TOMORROW)
    assert_frame_equal(scattered.read(), before)
    first = list(written)
    written.clear()

    assert scattered.compact(TOMORROW)[0].files == 4
    assert len({*first, *written}) == len(first) + len(written) == 4
    assert_frame_equal(scattered.read(), before)


def test_second_compaction_at_the_same_time_is_refused(scattered: Lake) -> None:
    """Two compactions would do the same work; the second says that one is on."""
    with locked(scattered.store.locks, "compact"), pytest.raises(BusyError, match="another compaction"):
        scattered.compact(TOMORROW)


def test_progress_reaches_the_end(scattered: Lake) -> None:
    """Each day and class is told when it is done."""
    told: list[tuple[str, float]] = []

    scattered.compact(TOMORROW, progress=lambda step, done: told.append((step, done)))

    assert told == [("2026-09-14 network", 1.0)]


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=20), min_size=1, max_size=5),
    st.integers(1, 25),
)
def test_whatever_was_added_is_compacted_to_the_fewest_files(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], most: int
) -> None:
    """For any batches and any size of files: nothing is lost or repeated, and no compact form has fewer files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_files, "MOST_ROWS", most)
        lake = Lake(Directory(tmp_path_factory.mktemp("lake")))
        for batch in batches:
            lake.append(flows(*batch))

        lake.compact(TOMORROW)

        held = {number for batch in batches for number in batch}
        assert_frame_equal(lake.read(), flows(*held).sort("ts", "event_id"))
        assert len(listed(lake.store)) == -(-len(held) // most)
        assert compaction.is_compact(lake.store, listed(lake.store))
