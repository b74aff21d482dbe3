import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.documents import LARGEST_DOCUMENT, Malformed
from features.lines import in_lines
from features.records import RecordFile, RecordReader, expand

GOOD = [{"a": 1, "b": {"c": [1, 2, {"d": "}]"}]}}, {"a": 2, "quote": 'say "{" and \\'}, {"a": 3}]


def read(content: bytes) -> list[tuple[int, object]]:
    return list(RecordReader().read(in_lines(iter([content]), LARGEST_DOCUMENT), lambda *_: None))


def records(content: bytes) -> list[object]:
    return [outcome for _, outcome in read(content) if not isinstance(outcome, Malformed)]


def malformed(content: bytes) -> list[tuple[int, str]]:
    return [(line, outcome.reason) for line, outcome in read(content) if isinstance(outcome, Malformed)]


LAYOUTS = {
    "ndjson": lambda docs: "\n".join(json.dumps(d) for d in docs) + "\n",
    "ndjson without a last newline": lambda docs: "\n".join(json.dumps(d) for d in docs),
    "crlf": lambda docs: "\r\n".join(json.dumps(d) for d in docs) + "\r\n",
    "array on one line": json.dumps,
    "array with a line per element": lambda docs: "[\n" + ",\n".join(json.dumps(d) for d in docs) + "\n]\n",
    "pretty array": lambda docs: json.dumps(docs, indent=2),
    "concatenated": lambda docs: "".join(json.dumps(d) for d in docs),
    "pretty and concatenated": lambda docs: "".join(json.dumps(d, indent=4) for d in docs),
    "pretty": lambda docs: "\n".join(json.dumps(d, indent=1) for d in docs),
    "text sequence of RFC 7464": lambda docs: "".join("\x1e" + json.dumps(d) + "\n" for d in docs),
    "blank lines between": lambda docs: "\n\n  \n".join(json.dumps(d) for d in docs),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_json_gives_the_same_records(layout: str) -> None:
    """However documents are laid out over lines, the records are the same and nothing is set aside."""
    content = LAYOUTS[layout](GOOD).encode()
    assert records(content) == GOOD
    assert malformed(content) == []


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ).flatmap(lambda value: st.fixed_dictionaries({"value": st.just(value)}))
    ),
    st.sampled_from(sorted(LAYOUTS)),
)
def test_any_json_survives_any_layout(docs: list[dict[str, object]], layout: str) -> None:
    """Brackets, quotes and escapes within strings never shift where a document ends."""
    assert records(LAYOUTS[layout](docs).encode()) == docs


def test_text_between_documents_is_set_aside_line_by_line() -> None:
    """Lines of other text cost nothing but themselves, each with its number."""
    content = b'starting up\n{"a":1}\n[INFO] listening\n{"a":2}\ndone\n'
    assert records(content) == [{"a": 1}, {"a": 2}]
    assert malformed(content) == [(1, "not JSON"), (3, "not JSON"), (5, "not JSON")]


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_bytes_that_are_no_utf8_cost_one_line(bad: bytes) -> None:
    """A name in another encoding, or a damaged byte, sets its own line aside and never ends the run."""
    content = b'{"a":1}\n{"a":"' + bad + b'"}\n{"' + bad + b'":2}\n{"a":3}\n'
    assert records(content) == [{"a": 1}, {"a": 3}]
    assert [line for line, _ in malformed(content)] == [2, 3]


@pytest.mark.parametrize("cut", range(1, 40))
def test_line_broken_off_in_the_middle_does_not_take_the_next_along(cut: int) -> None:
    """Wherever a line is cut, exactly it is lost."""
    whole = b'{"a":1,"b":["x","{",{"c":2}],"d":"e\\"f"}'
    content = whole[:cut] + b'\n{"a":2}\n{"a":3}\n'
    assert records(content) == [{"a": 2}, {"a": 3}]
    assert [line for line, _ in malformed(content)] == [1]


@pytest.mark.parametrize("cut", range(1, 12))
def test_truncated_last_line_is_set_aside(cut: int) -> None:
    """A writer that was cut off costs its last line."""
    content = b'{"a":1}\n' + b'{"a":{"b":2}}'[:cut]
    assert records(content) == [{"a": 1}]
    assert [line for line, _ in malformed(content)] == [2]


def test_malformed_pretty_document_is_one_mistake() -> None:
    """A document over many lines that cannot be decoded is set aside once, at its first line."""
    assert [line for line, _ in malformed(b'{"a": 1}\n{\n  "b": tru,\n  "c": 1\n}\n{"d": 1}\n')] == [2]
    assert records(b'{"a": 1}\n{\n  "b": tru,\n  "c": 1\n}\n{"d": 1}\n') == [{"a": 1}, {"d": 1}]


def test_records_carry_the_number_of_their_first_line() -> None:
    """A document over several lines stands where it begins."""
    assert [line for line, _ in read(b'{"a":1}\n{\n"b":2\n}\n{"c":3}\n')] == [1, 2, 5]


def test_elements_of_an_array_that_are_no_objects_are_set_aside() -> None:
    """Numbers and arrays within an array are no records; the objects beside them are."""
    assert records(b'[{"a":1},[2],{"a":3}]') == [{"a": 1}, {"a": 3}]
    assert malformed(b'[{"a":1},[2],{"a":3}]') == [(1, "not a JSON object")]


def test_zero_bytes_of_a_crash_are_skipped() -> None:
    """A file system that lost power leaves runs of zero bytes between good records."""
    assert records(b'{"a":1}\n' + b"\x00" * 500 + b'\n{"a":2}\n') == [{"a": 1}, {"a": 2}]


ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "utf-16 little endian": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16 big endian": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip of two members": lambda text: gzip.compress(text[:20].encode()) + gzip.compress(text[20:].encode()),
    "gzip of utf-16": lambda text: gzip.compress(text.encode("utf-16")),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_compression_and_encoding_are_seen_from_the_content(tmp_path: Path, encoding: str) -> None:
    """Gzip, several gzip members, byte order marks of UTF-8 and UTF-16: no name or option tells."""
    path = tmp_path / "anything"
    path.write_bytes(ENCODINGS[encoding]('{"a":"één"}\n{"a":"two"}\n'))
    assert [record for _, record in RecordFile(path)] == [{"a": "één"}, {"a": "two"}]


def test_damaged_gzip_gives_what_came_before_the_damage(tmp_path: Path) -> None:
    """A gzip file cut off gives its whole lines and says that it is damaged."""
    lines = "".join(json.dumps({"n": n, "x": n * 7919 % 1009}) + "\n" for n in range(20_000))
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(lines.encode())[:-4000])
    outcomes = [outcome for _, outcome in RecordFile(path)]
    assert len(outcomes) > 1000
    assert isinstance(outcomes[-1], Malformed)
    assert "damaged" in outcomes[-1].reason


def test_archive_is_one_mistake_with_advice(tmp_path: Path) -> None:
    """A zip archive among the logs is named as such and not read as a thousand lines of text."""
    path = tmp_path / "logs.zip"
    path.write_bytes(b"PK\x03\x04" + b"\n\x00" * 1000)
    assert [outcome for _, outcome in RecordFile(path)] == [Malformed("a zip archive: unpack it first", "")]


def test_document_larger_than_the_limit_is_set_aside_and_reading_goes_on(tmp_path: Path) -> None:
    """A line beyond 16 MB is one reject, and no part of it is taken for a record of its own."""
    path = tmp_path / "huge"
    inner = b'{"verb":"forged"},'
    with path.open("wb") as file:
        file.write(b'{"a":1}\n{"items":[')
        for _ in range(LARGEST_DOCUMENT // len(inner) + 100_000):
            file.write(inner)
        file.write(b'{}]}\n{"a":2}\n')
    outcomes = list(RecordFile(path))
    assert [record for _, record in outcomes if not isinstance(record, Malformed)] == [{"a": 1}, {"a": 2}]
    assert [line for line, record in outcomes if isinstance(record, Malformed)] == [2]


def test_array_on_one_line_larger_than_the_limit_is_streamed(tmp_path: Path) -> None:
    """The elements of an array are read one by one, however long its single line is."""
    path = tmp_path / "array"
    element = json.dumps({"text": "a " * 100 + '"]}'}).encode()
    count = LARGEST_DOCUMENT // len(element) + 5000
    path.write_bytes(b"[" + b",".join([element] * count) + b"]")
    tally = 0
    for _, record in RecordFile(path):
        assert not isinstance(record, Malformed)
        tally += 1
    assert tally == count


@pytest.mark.slow
def test_memory_stays_bounded_on_a_long_file(tmp_path: Path) -> None:
    """Reading 60 MB of lines holds a few of them at a time."""
    path = tmp_path / "long"
    line = json.dumps({"text": "x" * 1000}).encode() + b"\n"
    with path.open("wb") as file:
        for _ in range(60_000):
            file.write(line)
    tracemalloc.start()
    try:
        assert sum(1 for _ in RecordFile(path)) == 60_000
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_deep_nesting_is_set_aside() -> None:
    """A document nested a thousand deep is refused, not a crash."""
    content = b'{"a":' * 5000 + b"1" + b"}" * 5000 + b'\n{"a":2}\n'
    assert records(content)[-1] == {"a": 2}


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fail(content: bytes) -> None:
    """Whatever a file holds, reading gives records and things set aside, never an error."""
    for line, outcome in read(b'{"a":1}\n' + content + b'\n{"a":2}\n'):
        assert line >= 1
        assert isinstance(outcome, dict | Malformed)


def test_directory_is_every_file_below_it_sorted(tmp_path: Path) -> None:
    """A directory stands for its files in a fixed order; hidden ones are left out."""
    for name in ("b.log", "a/z.log", "a/c.log", ".hidden/x.log", "a/.swp"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = [path.relative_to(tmp_path).as_posix() for path in expand([tmp_path])]
    assert found == ["a/c.log", "a/z.log", "b.log"]


TABLE = (
    b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    b"#fields\tts\tuid\tservice\tn\tset\tname\n#types\ttime\tstring\tstring\tcount\tset[string]\tstring\n"
)


def test_zeek_table_is_read_by_its_header() -> None:
    """Types come from the header; unset is absent, empty is nothing, escapes are undone."""
    row = b"1.5\tC1\t-\t7\t(empty)\tcaf\\xc3\\xa9\\x09\n"
    assert records(TABLE + row) == [{"_path": "conn", "ts": 1.5, "uid": "C1", "n": 7, "set": None, "name": "café\t"}]


@pytest.mark.parametrize(
    "separator",
    [b"#separator \\x09", b"#separator\t\\x09", b"#separator \\t", b"#separator \t"],
    ids=["escape", "escape after a tab", "backslash t", "itself"],
)
def test_separator_line_may_be_written_in_several_ways(separator: bytes) -> None:
    """The tab stands as an escape, as a literal backslash-t, after a tab, or as itself."""
    content = TABLE.replace(b"#separator \\x09", separator) + b"1.5\tC1\tdns\t7\ta,b\tx\n"
    assert records(content)[0]["set"] == ["a", "b"]


def test_other_separators_are_honoured() -> None:
    """A table separated by something else is read just the same."""
    content = TABLE.replace(b"\t", b"|").replace(b"\\x09", b"\\x7c") + b"1.5|C1|dns|7|a,b|x\n"
    assert records(content)[0]["service"] == "dns"


def test_rotated_file_may_hold_several_headers() -> None:
    """A second header in one file names its own columns."""
    second = b"#close\t2014\n#separator \\x09\n#path\tdns\n#fields\tts\tquery\n#types\ttime\tstring\n2.5\texample.org\n"
    assert records(TABLE + b"1.5\tC1\tdns\t7\t-\tx\n" + second)[1] == {
        "_path": "dns",
        "ts": 2.5,
        "query": "example.org",
    }


def test_row_shorter_than_its_header_keeps_what_it_has() -> None:
    """More header fields than columns: the rest is absent."""
    assert records(TABLE + b"1.5\tC1\tdns\n2.5\tC2\tdns\t7\t-\tx\n")[0] == {
        "_path": "conn",
        "ts": 1.5,
        "uid": "C1",
        "service": "dns",
    }


def test_last_row_cut_off_is_set_aside() -> None:
    """A last row that is short and has no line end was cut within a value."""
    assert malformed(TABLE + b"1.5\tC1\tdns\t7\t-\tx\n2.5\tC2\td") == [(9, "last line breaks off")]


def test_row_with_a_value_of_another_type_is_set_aside() -> None:
    """A word where the header promises a number is named, and the rows around it are read."""
    content = TABLE + b"1.5\tC1\tdns\tmany\t-\tx\n2.5\tC2\tdns\t7\t-\tx\n"
    assert [line for line, _ in malformed(content)] == [8]
    assert len(records(content)) == 1


def test_json_after_a_table_is_still_json() -> None:
    """Files put together of both forms are read in both."""
    assert records(TABLE + b'1.5\tC1\tdns\t7\t-\tx\n{"ts":1}\n')[1] == {"ts": 1}
