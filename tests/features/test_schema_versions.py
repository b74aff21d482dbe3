import io
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features import compaction, holdings, lake_files, migrations
from features.events import EVENT_SCHEMA, SCHEMA_VERSION, frame
from features.lake import Lake
from features.lake_files import VERSION_KEY, LakeError, listed, micros
from features.migrations import MIGRATIONS, Migration

START = datetime(2026, 9, 14, tzinfo=UTC)
TOMORROW = START + timedelta(days=1)


def queries(*numbers: int) -> pl.DataFrame:
    return frame(
        {"ts": START + timedelta(seconds=n), "event_id": n, "kind": "dns", "query": f"{n}.example", "status": n % 3}
        for n in numbers
    )


def store_as(lake: Lake, version: int, events: pl.DataFrame) -> str:
    """Write a file as another version of wharfinger did, and give its name."""
    content = io.BytesIO()
    events.write_parquet(content, metadata={VERSION_KEY: str(version)} if version else None)
    span = f"{micros(events['ts'].min())}-{micros(events['ts'].max())}"
    name = f"date=2026-09-14/network-{span}-{version:016x}" + (f".v{version}" if version else "") + ".parquet"
    lake.store.write(name, content.getbuffer())
    return name


@pytest.fixture
def third(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a later wharfinger, whose schema has two versions more than today's.

    The first made `query` out of `question` and a text; the second counted `status` in other units.
    """
    later = (
        Migration({"question": pl.String()}, {"query": pl.col("question") + ".example"}),
        Migration({"status": pl.Int8()}, {"status": pl.col("status").cast(pl.Int32) // 10}),
    )
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, *later))
    for module in (lake_files, compaction, holdings):
        monkeypatch.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION + 2)


def in_first(events: pl.DataFrame) -> pl.DataFrame:
    """Give events as they were written two versions before."""
    told = events.select("ts", "event_id", "kind", "query", "status")
    return told.with_columns(
        question=pl.col("query").str.strip_suffix(".example"), status=(pl.col("status") * 10).cast(pl.Int8)
    ).drop("query")


def test_there_is_a_way_from_every_version() -> None:
    """The version of the schema is the number of migrations that lead to it."""
    assert len(MIGRATIONS) == SCHEMA_VERSION


def test_files_name_the_version_they_were_written_with(lake: Lake) -> None:
    """The name tells a reader which way to take; the file itself tells whoever opens it alone."""
    lake.append(queries(1))

    (file,) = listed(lake.store)
    content = pl.read_parquet_metadata(lake.store.location(file.name), storage_options=dict(lake.store.options))
    assert file.version == int(content[VERSION_KEY]) == SCHEMA_VERSION


def test_files_that_name_no_version_are_read_as_they_are(lake: Lake) -> None:
    """A lake from before there were versions reads as before, and is added to without a repeat."""
    store_as(lake, 0, queries(1, 2))

    assert lake.append(queries(2, 3)) == 1
    assert_frame_equal(lake.read(), queries(1, 2, 3))
    assert [held.old for held in lake.holdings()] == [1]


@pytest.mark.usefixtures("third")
def test_earlier_versions_are_migrated_when_they_are_read(lake: Lake) -> None:
    """Files of any version beside each other read as today's events; filters and columns are those of today."""
    store_as(lake, SCHEMA_VERSION, in_first(queries(1, 2)))
    store_as(lake, SCHEMA_VERSION + 1, queries(3).with_columns(status=pl.lit(0, pl.Int8)))
    lake.append(queries(4))

    assert_frame_equal(lake.read(), queries(1, 2, 3, 4))
    assert lake.read(columns=["query"])["query"].to_list() == [f"{n}.example" for n in (1, 2, 3, 4)]
    assert lake.read(since=START + timedelta(seconds=2), until=START + timedelta(seconds=4)).equals(queries(2, 3))


@pytest.mark.usefixtures("third")
def test_compaction_rewrites_earlier_versions(lake: Lake) -> None:
    """After it nothing is left of an earlier version, and the events are the same."""
    store_as(lake, SCHEMA_VERSION, in_first(queries(1, 2)))

    assert len(lake.compact(TOMORROW)) == 1

    (file,) = listed(lake.store)
    assert file.version == SCHEMA_VERSION + 2
    told = pl.scan_parquet(lake.store.location(file.name), storage_options=dict(lake.store.options)).collect_schema()
    assert "question" not in told
    assert told["status"] == EVENT_SCHEMA["status"]
    assert_frame_equal(lake.read(), queries(1, 2))


def test_later_version_is_refused(lake: Lake) -> None:
    """What this wharfinger cannot know is not guessed at: the error names the file and says what to do."""
    name = store_as(lake, SCHEMA_VERSION + 1, queries(1))

    for use in (
        lake.read,
        lambda: lake.append(queries(1)),
        lambda: lake.compact(TOMORROW),
        lake.holdings,
    ):
        with pytest.raises(LakeError, match=f"{name} has schema version {SCHEMA_VERSION + 1}.*upgrade wharfinger"):
            use()
    assert lake.days(START, TOMORROW) == [datetime.combine(date(2026, 9, 14), datetime.min.time(), UTC)]
