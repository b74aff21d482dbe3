"""Parquet files: events that were exported, and the logs of a sensor."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.field_frames import plain, records
from features.ingest import events_from_records, read_events
from features.lake import Lake
from features.routing import Batch

SAMPLES = Path(__file__).parent / "samples"
FIELDS = ["ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto"]
LOGS = {
    "conn": ["conn_state", "service", "orig_bytes", "duration"],
    "dns": ["trans_id", "query", "qtype_name", "answers"],
    "http": ["trans_depth", "method", "host", "uri", "status_code"],
    "ssl": ["established", "server_name", "next_protocol"],
    "files": ["fuid"],
}
GOOD: dict[str, tuple[object, object]] = {
    "ts": (pl.Float64, 1_757_800_000.25),
    "uid": (pl.String, "C1"),
    "id.orig_h": (pl.String, "10.0.0.1"),
    "id.resp_h": (pl.String, "2001:db8::1"),
    "conn_state": (pl.String, "SF"),
    "trans_id": (pl.Int64, 7),
    "trans_depth": (pl.Int64, 1),
    "established": (pl.Boolean, True),
}
COLUMNS = [
    (pl.String, ["GET", "A.example:80", "", "10.0.0.01", "7", "İ", "2026-09-14T09:20:00Z"]),
    (pl.Categorical, ["tcp", "10.0.0.9"]),
    (pl.Int64, [0, 7, -1, 70_000, 2**31, 1_757_800_000]),
    (pl.UInt64, [7, 2**64 - 1]),
    (pl.UInt16, [7, 65_535]),
    (pl.Float64, [7.0, 7.5, -0.0, 1e300, float("nan"), float("inf"), 1_757_800_000.25]),
    (pl.Boolean, [True, False]),
    (pl.List(pl.String), [["a", ""], []]),
    (pl.List(pl.Int64), [[1]]),
    (pl.Datetime("ns"), [1_757_800_000_250_000_000, -1]),
    (pl.Datetime("ms", "Europe/Vienna"), [1_757_800_000_250]),
    (pl.Duration("us"), [500_000, -1]),
    (pl.Null, []),
]


def read(path: Path, batch_rows: int = 50_000, source: str | None = None) -> Batch:
    batches = list(read_events([path], batch_rows=batch_rows, source=source))
    rejects = [reject for batch in batches for reject in batch.rejects]
    return Batch(pl.concat(b.events for b in batches), rejects, sum(b.read_bytes for b in batches), str(path))


def write(frame: pl.DataFrame, path: Path) -> Path:
    frame.write_parquet(path, row_group_size=3)
    return path


@st.composite
def logs(draw: st.DrawFn) -> tuple[str, pl.DataFrame]:
    """Draw rows of one log, of which up to three columns have a type or values that they never have."""
    log = draw(st.sampled_from(sorted(LOGS)))
    height = draw(st.integers(0, 6))
    odd = draw(st.sets(st.sampled_from([*FIELDS, *LOGS[log]]), max_size=3))
    columns = []
    for name in [*FIELDS, *LOGS[log]]:
        dtype, good = GOOD.get(name, (pl.Null, None))
        values = st.just(good) | st.just(good) | st.none()
        if name in odd:
            dtype, choice = draw(st.sampled_from(COLUMNS))
            values = st.sampled_from(choice) | st.none() if choice else st.none()
        columns.append(pl.Series(name, draw(st.lists(values, min_size=height, max_size=height)), dtype))
    return log, pl.DataFrame(columns)


SPELLINGS = {
    "dots": lambda frame: frame,
    "underscores": lambda frame: frame.rename(lambda name: name.replace("id.", "id_")),
    "a struct": lambda frame: frame.with_columns(
        id=pl.struct(pl.col(name).alias(name[3:]) for name in frame.columns if name.startswith("id."))
    ).drop(name for name in frame.columns if name.startswith("id.")),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(logs(), st.sampled_from(sorted(SPELLINGS)), st.integers(1, 8), st.sampled_from([[], ["_path"], ["@stream"]]))
def test_rows_of_logs_are_what_their_records_are(
    tmp_path: Path, drawn: tuple[str, pl.DataFrame], spelling: str, batch_rows: int, naming: list[str]
) -> None:
    """Whatever types the columns have, the file gives the events and the rejects that its rows give one by one."""
    log, frame = drawn
    named = SPELLINGS[spelling](frame).with_columns(pl.lit(log).alias(name) for name in naming)
    path = write(named, tmp_path / "any.parquet")

    got = read(path, batch_rows)
    want = events_from_records(
        [{"_path": log} | record for record in records(plain(frame))], source="zeek", ref="any.parquet"
    )

    assert_frame_equal(got.events, want.events)
    assert [(reject.line, reject.reason) for reject in got.rejects] == [(r.line, r.reason) for r in want.rejects]
    assert got.read_bytes == path.stat().st_size


@pytest.mark.parametrize("dropped", [[], ["event_id"]], ids=["with ids", "without ids"])
def test_exported_events_come_back_as_they_were(tmp_path: Path, dropped: list[str]) -> None:
    """Files of a lake are read into another: the same ids, the same way back to the raw record."""
    lake = Lake(tmp_path / "lake")
    for batch in read_events([SAMPLES], host="n1"):
        lake.append(batch.events)
    events = lake.read()
    write(events.drop(dropped), tmp_path / "export.parquet")

    again = read(tmp_path / "export.parquet", batch_rows=7)

    assert_frame_equal(again.events, events)
    assert again.rejects == []


def test_forged_id_of_an_event_is_not_believed(tmp_path: Path) -> None:
    """An id that another event has would keep this one out of the lake: it is made anew."""
    events = read(SAMPLES / "zeek_conn.log").events
    write(events.with_columns(event_id=pl.lit(1, pl.UInt64)), tmp_path / "forged.parquet")

    assert_frame_equal(read(tmp_path / "forged.parquet").events, events)


def test_rows_that_are_no_events_are_set_aside_with_their_reason(tmp_path: Path) -> None:
    """A time that is none, an unknown source or kind, and a value that does not fit cost one row each."""
    good = read(SAMPLES / "zeek_conn.log").events[:1].drop("event_id").with_columns(src_port=pl.lit(1, pl.Int64))
    faulty = [
        good.with_columns(ts=pl.lit(None, good.schema["ts"])),
        good.with_columns(source=pl.lit("zeke")),
        good.with_columns(kind=pl.lit("flaw")),
        good.with_columns(src_port=pl.lit(2**40, pl.Int64)),
    ]
    got = read(write(pl.concat([good, *faulty, good]), tmp_path / "events.parquet"))

    assert got.events.height == 2
    assert [(reject.line, reject.reason) for reject in got.rejects] == [
        (2, "ts is missing, or outside 1970 to 2099"),
        (3, "source is none of those that are read"),
        (4, "there is no such kind of event"),
        (5, "src_port is not of its type"),
    ]


def test_named_source_sets_events_of_others_aside(tmp_path: Path) -> None:
    """Who names a source wants no other, in a file of events as in any."""
    path = write(read(SAMPLES / "zeek_conn.log").events, tmp_path / "events.parquet")

    assert read(path, source="zeek").rejects == []
    assert read(path, source="docker_events").events.is_empty()


def test_other_parquet_is_one_mistake_that_names_its_columns(tmp_path: Path) -> None:
    """A file of other columns is set aside as a whole, and the files beside it are read."""
    write(pl.DataFrame({"b": range(10), "a": range(10)}), tmp_path / "a.parquet")
    (tmp_path / "b.log").write_bytes((SAMPLES / "zeek_conn.log").read_bytes())
    got = read(tmp_path, batch_rows=2)

    assert [reject.reason for reject in got.rejects] == [
        "a Parquet file of neither events nor logs: its columns are a, b"
    ]
    assert not got.events.is_empty()


def test_damaged_parquet_costs_what_is_damaged(tmp_path: Path) -> None:
    """Without its end a file is lost; with a hole, only the rows that lay there are."""
    events = read(SAMPLES / "zeek_conn.log").events.sample(3000, with_replacement=True, seed=1)
    events.write_parquet(tmp_path / "whole", row_group_size=1000, compression="uncompressed")
    content = (tmp_path / "whole").read_bytes()
    third = len(content) // 3
    (tmp_path / "cut").write_bytes(content[:third])
    (tmp_path / "hole").write_bytes(content[:third] + bytes(third // 2) + content[third + third // 2 :])

    (cut,) = read(tmp_path / "cut").rejects
    hole = read(tmp_path / "hole", batch_rows=1000)

    assert cut.reason.startswith("a damaged Parquet file: ")
    assert hole.rejects[0].reason.startswith("rows 1001 to 2000 are damaged: ")
    assert hole.events.height >= 1000
