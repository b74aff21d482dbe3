"""What every source owes, checked for each one found: a new source inherits these tests."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.documents import Malformed
from features.envelopes import unwrap
from features.events import EVENT_SCHEMA, KINDS, frame
from features.ingest import read_events
from features.protocols import RecordError, Source, sources
from features.records import RecordFile

SAMPLES = Path(__file__).parents[1] / "samples"


def sample_files(name: str) -> list[Path]:
    return sorted(path for path in SAMPLES.iterdir() if path.name.startswith(name))


def sample_records(source: Source) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def add(record: dict[str, Any] | Malformed) -> None:
        assert isinstance(record, dict)
        if source.recognises(record):
            found.append(record)
        else:
            for inner in unwrap(record) or ():
                add(inner)

    for path in sample_files(source.name):
        for _, record in RecordFile(path):
            add(record)
    return found


each_source = pytest.mark.parametrize("source", sources().values(), ids=sources())
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["", "-", "0001-01-01T00:00:00Z", "2026-09-14T09:20:00Z", "::1", "sha256:ab", "a:b", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@each_source
def test_every_source_has_a_sample_that_it_reads_whole(source: Source) -> None:
    """Each record of a source's samples is recognised by it alone and read without a reject."""
    assert sample_files(source.name), f"tests/features/samples/{source.name}.* is missing"
    assert sample_records(source)
    for batch in read_events(sample_files(source.name), host="n1"):
        assert batch.rejects == []
        assert set(batch.events["source"]) <= {source.name}
    for record in sample_records(source):
        assert [other.name for other in sources().values() if other.recognises(record)] == [source.name]


@each_source
def test_rows_fit_the_schema_and_say_when_and_what(source: Source) -> None:
    """Rows use columns of the schema, values of their types, a kind that exists, a time, and an identity."""
    rows = [row for record in sample_records(source) for row in source.parse(record, "n1")]
    assert rows
    events = frame(rows)
    assert events.schema == pl.Schema(EVENT_SCHEMA)
    assert set(events["kind"]) <= set(KINDS)
    assert events["ts"].null_count() == 0
    assert events["record_id"].null_count() == 0


@each_source
def test_parsing_leaves_its_input_unchanged(source: Source) -> None:
    """A record may be read twice, or by another source, after it was parsed."""
    for record in sample_records(source):
        before = copy.deepcopy(record)
        first, second = source.parse(record, "n1"), source.parse(record, "n1")
        assert record == before
        assert first == second


@each_source
def test_unknown_fields_change_nothing(source: Source) -> None:
    """Fields of a later version of the format are ignored."""
    for record in sample_records(source):
        extended = record | {"a_field_of_tomorrow": {"nested": [1, 2]}, "another": 7}
        assert source.recognises(extended)
        assert source.parse(extended, None) == source.parse(record, None)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Ways to each value within a record."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from places(inner, (*path, key))


@each_source
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_broken_record_is_refused_or_read_but_never_a_crash(source: Source, data: st.DataObject) -> None:
    """Whatever stands in the place of a field, the source raises RecordError or gives rows that fit."""
    record = copy.deepcopy(data.draw(st.sampled_from(sample_records(source))))
    for _ in range(data.draw(st.integers(1, 3))):
        found = list(places(record))
        if not found:
            return
        *way, last = data.draw(st.sampled_from(found))
        holder: Any = record
        for step in way:
            holder = holder[step]
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = data.draw(json_values)
    record = msgspec.json.decode(msgspec.json.encode(record)) if finite(record) else record
    if not source.recognises(record):
        return
    try:
        rows = source.parse(record, data.draw(st.none() | st.just("n1")))
    except RecordError:
        return
    assert frame(rows).height == len(rows)
    assert all(row["kind"] in KINDS and row["ts"] is not None and row["record_id"] for row in rows)


def finite(record: object) -> bool:
    try:
        msgspec.json.encode(record)
    except (msgspec.MsgspecError, OverflowError, UnicodeEncodeError):
        return False
    return True
