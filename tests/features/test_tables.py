"""Reading rows of a table many at a time gives what reading them one by one gives, whatever they are."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.protocols import sources
from features.records import RecordFile
from features.runs import Columnar, Run, Runs
from tests.one_by_one import assert_alike

FIRST = {"ts": 1, "uid": "C0", "id.orig_h": "10.0.0.1", "id.resp_h": "10.0.0.2", "conn_state": "SF"}
ENDS = "ts:time uid:string id.orig_h:addr id.orig_p:port id.resp_h:addr id.resp_p:port proto:enum "
FIELDS = {
    "conn": ENDS + "service:string duration:interval orig_bytes:count resp_bytes:count conn_state:string "
    "local_orig:bool missed_bytes:int tunnel_parents:set[string]",
    "dns": ENDS + "trans_id:count query:string qtype_name:string answers:vector[string] TTLs:vector[interval]",
    "http": ENDS + "trans_depth:count method:string host:string uri:string status_code:count response_body_len:count",
    "ssl": ENDS + "version:string server_name:string established:bool ja3:string next_protocol:string",
    "files": "ts:time fuid:string",
}
TYPES = {log: dict(field.rsplit(":", 1) for field in fields.split()) for log, fields in FIELDS.items()}
VALUES = {
    "time": "1757800000.250000",
    "interval": "0.5",
    "string": "GET",
    "enum": "tcp",
    "addr": "10.0.0.1",
    "port": "80",
    "count": "7",
    "int": "-3",
    "bool": "T",
    "set[string]": "a,b",
    "vector[string]": "x,-,y",
    "vector[interval]": "1.0,2.0",
}
ODD_NUMBERS = [" 5", "5 ", "+5", "-5", "5.0", "1e3", "nan", "inf", "1_0", "007", "70000", "2147483648", str(2**63)]
ODD_TEXTS = [
    "",
    " ",
    "-",
    "?",
    "(empty)",
    "\\xc3\\xa9",
    "\\x09",
    "é",
    "İ",
    "a:80",
    "10.0.0.01",
    "{",
    "#close",
    '"',
    "x,-",
]
cells = st.sampled_from([*VALUES.values(), *ODD_NUMBERS, *ODD_TEXTS])
SELDOM = st.integers(0, 9).map(lambda number: number == 9)
others = st.sampled_from(["#close\t2025", "#anything", "", json.dumps(FIRST), "text", "\x00", "\r", "\t\t", "1\t{"])


@st.composite
def rows(draw: st.DrawFn, kinds: list[str], separator: str) -> str:
    """Draw a row with up to two odd values, now and then too short or too long."""
    row = [VALUES[kind] for kind in kinds]
    for position in draw(st.lists(st.just(0) | st.integers(0, len(row) - 1), max_size=2)):
        row[position] = draw(cells)
    row = row[:-1] if draw(SELDOM) else row
    return separator.join([*row, "more"] if draw(SELDOM) else row)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Draw a table: fields in any order, seldom of a type that they never have, and other lines among the rows."""
    path = draw(st.sampled_from([*sorted(TYPES), "conn", "dns", "http", "ssl"]))
    names = draw(st.permutations(sorted(TYPES[path])))[draw(st.integers(0, 1)) :]
    kinds = [draw(st.sampled_from(sorted(VALUES))) if draw(SELDOM) and draw(SELDOM) else TYPES[path][n] for n in names]
    separator = draw(st.sampled_from("\t\t\t\t\t\t| "))
    head = [["#unset_field", draw(st.sampled_from("--?"))], ["#path", path], ["#fields", *names], ["#types", *kinds]]
    lines = draw(
        st.lists(rows(kinds, separator) | rows(kinds, separator) | rows(kinds, separator) | others, max_size=9)
    )
    # lines that are no rows, as those of the header, let the next few be read alone
    lines = [*[separator.join(VALUES[kind] for kind in kinds)] * 4, *lines]
    text = [f"#separator \\x{ord(separator):02x}", *map(separator.join, head), *lines]
    content = draw(st.sampled_from([*["\n"] * 9, "\r\n"])).join(text).encode() + draw(st.sampled_from([b"\n", b""]))
    return content.replace(b"GET", b"G\xffT", 1) if draw(SELDOM) else content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.lists(tables(), min_size=1, max_size=2), st.integers(1, 8))
def test_rows_read_together_are_what_they_are_alone(tmp_path: Path, content: list[bytes], batch_rows: int) -> None:
    """Any tables, with odd headers and broken rows, give the same events and the same rejects in the same order."""
    path = tmp_path / "any.log"
    # the first record tells the source, so that all that follow may be taken together
    path.write_bytes(b"\n".join([json.dumps(FIRST).encode(), *content]))

    assert_alike(path, batch_rows)


@pytest.mark.parametrize(
    "line", ["#close\t1757800000\t10.0.0.1\t10.0.0.2\tSF", '{"ts":1,\t"uid":"C1",\t"id.orig_h":"x",\t"a":\t1}']
)
def test_lines_as_wide_as_a_row_are_no_rows(line: str, tmp_path: Path) -> None:
    """A line of a header, or a JSON object, is what it is, even with as many separators as the rows around it."""
    row = "C1\t1757800000\t10.0.0.1\t10.0.0.2\tSF"
    head = ["#path\tconn", "#fields\tuid\tts\tid.orig_h\tid.resp_h\tconn_state"]
    head += ["#types\tstring\ttime\taddr\taddr\tstring"]
    path = tmp_path / "wide.log"
    path.write_text("\n".join([*head, *[row] * 50, line, *[row] * 50]) + "\n")

    assert_alike(path)


@pytest.mark.parametrize("log", sorted(TYPES.keys() - {"files"}))
def test_common_tables_are_taken_together(log: str, tmp_path: Path) -> None:
    """Of a plain table, all rows come in runs and fit."""
    kinds = TYPES[log].values()
    head = [["#path", log], ["#fields", *TYPES[log]], ["#types", *kinds]]
    lines = [*head, *[[VALUES[kind] for kind in kinds]] * 50, ["#close", "2025"]]
    path = tmp_path / "plain.log"
    path.write_text("".join("\t".join(line) + "\n" for line in lines))
    runs, zeek = Runs(None), sources()["zeek"]
    assert isinstance(zeek, Columnar)

    for line, run in RecordFile(path).read(lambda lines, at, table: runs.find(zeek, lines, at, 1000, table)):
        assert isinstance(run, Run)
        runs.hold(line, run)
    (told,) = runs.release()

    assert told.events["line"].to_list() == list(range(4, 54))
    assert told.left == []
