"""Reading many lines at a time gives what reading them one by one gives, whatever the lines are."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.events import EVENT_SCHEMA
from features.ingest import read_events
from features.protocols import sources
from features.records import RecordFile
from features.runs import Columnar, Run, Runs
from tests.one_by_one import assert_alike

SAMPLES = Path(__file__).parent / "samples"
ENDS = {"id.orig_h": "10.0.0.1", "id.orig_p": 40_000, "id.resp_h": "2001:db8::1", "id.resp_p": 53, "proto": "udp"}
LOGS: list[dict[str, object]] = [
    {"ts": 1757800000.25, "uid": "C1", **ENDS, "conn_state": "SF", "duration": 1.5, "orig_bytes": 10, "service": "dns"},
    {"ts": 1757800000.5, "uid": "C1", **ENDS, "trans_id": 7, "query": "A.example", "qtype_name": "A", "answers": ["b"]},
    {"ts": 1757800000.5, "uid": "C1", **ENDS, "trans_depth": 1, "method": "GET", "host": "a:80", "status_code": 200},
    {"ts": "2025-09-14T09:20:00.1Z", "uid": "C2", **ENDS, "established": True, "server_name": "x", "alpn": "h2"},
    {"ts": 1757800000, "uid": "C3", "fuid": "F1", "mime_type": "text/plain"},
]
FIELDS = sorted({key for log in LOGS for key in log} | {"_path", "@stream", "call_id", "next_protocol", "note"})
values = (
    st.sampled_from(["", "-", "conn", "dns", "TCP", "İ", "é:1", "::1", "10.0.0.01", "fe80::1%eth0", "a:1:2", "\\x41"])
    | st.none()
    | st.booleans()
    | st.integers(-1, 70_000)
    | st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, 10**30, 1e300, 5.0, 0.5, -0.0, 4_102_444_800, 1e18])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(st.sampled_from(["a", "", 1, None]), max_size=3)
    | st.just({"orig_h": "10.0.0.9"})
)
documents = st.builds(
    lambda log, changed, dropped: {key: v for key, v in (log | changed).items() if key not in dropped},
    st.sampled_from(LOGS),
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=3),
    st.sets(st.sampled_from(FIELDS), max_size=1),
)
lines = st.one_of(
    documents.map(lambda record: json.dumps(record).encode()),
    documents.map(lambda record: json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()),
    documents.map(lambda record: json.dumps(record, ensure_ascii=False, indent=1).encode()),
    documents.flatmap(lambda record: st.integers(0, 60).map(lambda cut: json.dumps(record).encode()[:-cut])),
    documents.flatmap(
        lambda record: st.sampled_from(
            [b'"\xff"', b"1e999", b"9" * 400, b"1.5E+400", b'"\xed\xa0\x80"', b"[" * 200 + b"]" * 200, b"01", b"0e+5"]
        ).map(lambda odd: json.dumps(record).encode()[:-1] + b', "odd": ' + odd + b"}")
    ),
    st.sampled_from([b"", b"[", b"]", b"hello", b"#fields\tts\tuid", b"1\tC1", b" ", b"\r", b'{"a":', b"\x00"]),
    st.sampled_from(
        [b'{"status":"pull","id":"a:1","Type":"image","Action":"pull","Actor":{"ID":"a"},"time":1757800000}']
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    st.lists(lines, max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.sampled_from([b"", b"\n"]), st.integers(1, 5)
)
def test_lines_read_together_are_what_they_are_alone(
    tmp_path: Path, content: list[bytes], end: bytes, last: bytes, batch_rows: int
) -> None:
    """Any lines, good, odd and broken, give the same events and the same rejects in the same order."""
    path = tmp_path / "any.log"
    # the first record tells the source, so that all that follow may be taken together
    path.write_bytes(end.join([json.dumps(LOGS[0]).encode(), *content]) + last)

    assert_alike(path, batch_rows)


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir() if path.is_file()))
def test_samples_read_together_are_what_they_are_alone(sample: str) -> None:
    """Real records of every source are read alike both ways."""
    assert_alike(SAMPLES / sample)


def test_real_zeek_logs_read_together_are_what_they_are_alone(shared: Path) -> None:
    """So are the logs of real sensors, with unknown fields, open connections and files that break off."""
    for path in sorted((shared / "formats").glob("zeek-*/**/*.log")):
        assert_alike(path)


@pytest.mark.parametrize("log", LOGS[:4], ids=["conn", "dns", "http", "ssl"])
@pytest.mark.parametrize("spelling", [".", "_"])
def test_common_logs_are_taken_together(log: dict[str, object], spelling: str, tmp_path: Path) -> None:
    """Of a plain log, all lines come in runs, however its endpoints are spelt."""
    record = {key.replace(".", spelling): value for key, value in log.items()}
    path = tmp_path / "plain.log"
    path.write_text((json.dumps(record) + "\n") * 50)
    runs, zeek = Runs(None), sources()["zeek"]
    assert isinstance(zeek, Columnar)

    outcomes = [
        outcome
        for _, outcome in RecordFile(path).read(lambda lines, at, table: runs.find(zeek, lines, at, 1000, table))
    ]

    assert sum(len(outcome) for outcome in outcomes if isinstance(outcome, Run)) == 50


@pytest.mark.parametrize(
    "bad", ["{", "hello", '{"ts":1,"uid":"C1","conn_state":"SF"}', "1\tC1\tx", "1\tC1\tx\ty\tSF\tmany"]
)
@pytest.mark.parametrize("form", ["json", "table"])
def test_bad_line_costs_itself_among_thousands(form: str, bad: str, tmp_path: Path) -> None:
    """Readers of whole files fail on one bad line, or make a row of nothing of it; here it is set aside."""
    fields = ["ts", "uid", "id.orig_h", "id.resp_h", "conn_state", "orig_bytes"]
    rows = [[1_757_800_000 + n, f"C{n}", "10.0.0.1", "10.0.0.2", "SF", n] for n in range(5000)]
    head = ["#path\tconn", "\t".join(["#fields", *fields]), "#types\ttime\tstring\taddr\taddr\tstring\tcount"]
    good = ["\t".join(map(str, row)) for row in rows]
    if form == "json":
        head, good = [], [json.dumps(dict(zip(fields, row, strict=True))) for row in rows]
    path = tmp_path / "long.log"
    path.write_text("\n".join([*head, *good[:3000], bad, *good[3000:]]) + "\n")

    (batch,) = read_events([path])

    assert [reject.line for reject in batch.rejects] == [len(head) + 3001]
    assert batch.events["bytes_out"].to_list() == list(range(5000))


def test_columns_are_of_types_that_polars_reads() -> None:
    """Polars panics, past every handler of exceptions, on integers of fewer than 32 bits in text."""
    zeek = sources()["zeek"]
    assert isinstance(zeek, Columnar)
    narrow = {pl.Int8(), pl.Int16(), pl.UInt8(), pl.UInt16()}

    assert narrow.isdisjoint(field.dtype for shape in zeek.shapes for field in shape.columns.values())
    assert narrow.isdisjoint(EVENT_SCHEMA.values())


def test_logs_of_one_stream_are_told_apart(tmp_path: Path) -> None:
    """Logs that come mixed line by line are read together too, and keep their order."""
    path = tmp_path / "mixed.log"
    path.write_text("".join(json.dumps(LOGS[n % 4] | {"uid": f"C{n}"}) + "\n" for n in range(2000)))

    assert_alike(path)
