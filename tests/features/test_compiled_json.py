"""Machine code reads of JSON what a decoder reads, or leaves it to one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.compiled_json import CompiledJson
from features.json_columns import JsonColumns
from features.lines import Lines
from features.zeek_shapes import TABLES

pytest.importorskip("numba")

plain = st.text(st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["Cc"]), max_size=12)
written = st.one_of(
    plain.map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.text(max_size=5).map(json.dumps),
    st.integers(-10, 2**64).map(str),
    st.floats().map(json.dumps),
    st.from_regex(r"-?[0-9]{1,19}(\.[0-9]{0,18})?([eE][+-]?[0-9]{0,4})?", fullmatch=True),
    st.lists(plain | st.integers() | st.none(), max_size=3).map(lambda value: json.dumps(value, separators=(",", ":"))),
    st.sampled_from(["null", "true", "false", "nul", "falsy", "", "{}", "[", "[1,]", "[,]", '["a""b"]', "[[]]"]),
)
NAMES = [
    "ts",
    "uid",
    "proto",
    "orig_bytes",
    "answers",
    "duration",
    "established",
    "id.orig_p",
    "_path",
    "other",
    "\u00e9",
]
members = st.lists(st.tuples(st.sampled_from(NAMES), written), max_size=4)
WHOLE = {
    "conn": '{"ts":1.5,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"::1","conn_state":"SF"',
    "dns": '{"ts":1757800000.123456,"uid":"C1","id.orig_h":"10.0.0.1","id.resp_h":"::1","trans_id":7,"query":"a"',
    "ssl": '{"ts":2,"uid":"","id.orig_h":"10.0.0.1","id.resp_h":"::1","established":true',
}


@given(
    st.sampled_from(sorted(WHOLE)), st.lists(members, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", " \n"])
)
def test_values_are_those_of_the_decoder(log: str, records: list[list[tuple[str, str]]], end: str) -> None:
    """Whatever a line says, it is read as the decoder reads it, to the last digit, or not at all."""
    text = "".join(WHOLE[log] + "".join(f',"{name}":{value}' for name, value in r) + "}" + end for r in records)
    lines = Lines(text.encode())
    compiled, decoder = CompiledJson(TABLES[log]), JsonColumns(TABLES[log])

    for position in range(len(records)):
        cells = compiled.run(lines, position, len(records))
        decoded = decoder.run(lines, position, len(records))

        assert cells is None or len(cells) <= len(decoded)
        if cells is not None:
            assert_frame_equal(compiled.frame([cells]), decoder.frame([decoded[: len(cells)]]), check_exact=True)


def test_plain_lines_are_read_together() -> None:
    """Lines that lack this field or that are read in one go, with what stands before a value learnt as it appears."""
    fields = [
        "",
        ',"service":"dns"',
        ',"service":"dns","orig_bytes":5',
        ',"history":"ShAD"',
        ',"tunnel_parents":["C9"]',
    ]
    lines = Lines("".join(WHOLE["conn"] + fields[n % 5] + "}\n" for n in range(1000)).encode())
    compiled = CompiledJson(TABLES["conn"])
    for position in range(5):
        compiled.run(lines, position, 1000)

    cells = compiled.run(lines, 0, 1000)

    assert cells is not None
    assert compiled.frame([cells])["orig_bytes"].to_list() == [None, None, 5, None, None] * 200


PROGRAM = """
import sys
from pathlib import Path
if sys.argv[2] == "absent":
    sys.modules["numba"] = None
from features import json_columns
from features.ingest import read_events
json_columns.WORTH = int(sys.argv[3])
(batch,) = read_events([Path(sys.argv[1])])
print(batch.events.height, sys.modules.get("numba") is not None)
"""


@pytest.mark.parametrize(
    ("numba", "worth", "loaded"), [("absent", 100, False), ("present", 100, True), ("present", 100_000, False)]
)
def test_many_lines_are_worth_loading_numba_for(numba: str, worth: int, loaded: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """Numba is loaded after many lines, not for a few, and where it is missing the decoder reads on."""
    path = tmp_path / "conn.log"
    path.write_text((WHOLE["conn"] + "}\n") * 20_000)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), numba, str(worth)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )

    assert done.stdout.split() == ["20000", str(loaded)]
