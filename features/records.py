"""Files to decoded records, streamed: half a megabyte of lines, or one JSON document, is in memory at a time."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from features.documents import BLANK, LARGEST_DOCUMENT, JsonDocuments, Malformed, Outcome, decode_line
from features.lines import Lines, in_lines
from features.protocols import Record
from features.runs import Run
from features.zeek_tsv import ZeekTable, is_header

_GZIP = b"\x1f\x8b"
_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: decompress it first",
    b"\xfd7zX": "compressed by xz: decompress it first",
    b"BZh": "compressed by bzip2: decompress it first",
    b"\xd4\xc3\xb2\xa1": "a packet capture: let Zeek read it first",
    b"\x0a\x0d\x0d\x0a": "a packet capture: let Zeek read it first",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_BRACE = ord("{")

_BLOCK = 1 << 19

Taken = tuple[int, Record | Malformed | Run]
TakeRun = Callable[[Lines, int, ZeekTable], Run | None]


class RecordFile:
    """One file of telemetry: iterating yields each record, or what is no record, with the number of its line.

    Plain or gzip by its first bytes; UTF-8, or UTF-16 with a byte order mark; NDJSON, JSON arrays, concatenated and
    pretty-printed JSON documents, Zeek TSV, and lines of other text, in any mixture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw: io.BufferedReader | None = None
        self._reader = RecordReader()
        self._consumed = 0

    def consumed(self) -> int:
        """Bytes of the file read so far, as they lie on disk; 0 for what has no position, such as a pipe."""
        if self._raw is not None and not self._raw.closed and self._raw.seekable():
            self._consumed = self._raw.tell()
        return self._consumed

    @property
    def size(self) -> int:
        """Bytes of decompressed text read so far."""
        return self._reader.size

    def __iter__(self) -> Iterator[Outcome]:
        for line, outcome in self.read(lambda *_: None):
            if not isinstance(outcome, Run):
                yield line, outcome

    def read(self, take_run: TakeRun) -> Iterator[Taken]:
        """Read records, and runs of them where `take_run` makes one of the lines that begin at a position."""
        with cast("io.BufferedReader", self.path.open("rb", _BLOCK)) as raw:
            self._raw = raw
            start = raw.peek(4)
            for magic, what in _NOT_TEXT.items():
                if start.startswith(magic):
                    yield 1, Malformed(what, "")
                    return
            try:
                with _chunks(raw) as chunks:
                    yield from self._reader.read(in_lines(chunks, LARGEST_DOCUMENT), take_run)
            except (zlib.error, gzip.BadGzipFile, EOFError) as error:
                yield self._reader.line, Malformed(f"compressed data are damaged after this line: {error}", "")
            finally:
                self.consumed()


@contextmanager
def _chunks(raw: io.BufferedReader) -> Iterator[Iterator[bytes]]:
    """Give text in UTF-8, some at a time, as it comes: reading on may fail, and what came before it counts."""
    buffered = raw
    if buffered.peek(2)[:2] == _GZIP:
        buffered = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=raw)), 1 << 18)
    start = buffered.peek(3)[:3]
    if start[:2] not in _UTF16:
        if start == _UTF8_MARK:
            buffered.read(3)
        yield iter(lambda: buffered.read1(_BLOCK), b"")
        return
    text = io.TextIOWrapper(buffered, encoding="utf-16", errors="replace", newline="\n")
    try:
        yield (chunk.encode() for chunk in iter(lambda: text.read(_BLOCK), ""))
    finally:
        text.detach()


class RecordReader:
    """Reads records from lines; `line` is the number of the latest, `size` the bytes read."""

    def __init__(self) -> None:
        self.line = self.size = 0
        self._documents, self._table = JsonDocuments(), ZeekTable()
        self._begins_line = True

    def read(self, blocks: Iterable[Lines], take_run: TakeRun) -> Iterator[Taken]:
        """Read records.

        Parameters
        ----------
        blocks
            Lines, their ends included; a piece without an end is continued by the next.
        take_run
            Makes one of as many lines as it can, from a position on, given the table that rows there would be of;
            not asked while a document is underway.
        """
        for lines in blocks:
            at = 0
            while at < len(lines):
                run = take_run(lines, at, self._table) if self._begins_line and not self._documents.underway else None
                if run is None:
                    yield from self._take(lines[at])
                    at += 1
                else:
                    yield self.line + 1, run
                    self._pass_over(lines, at, at + len(run))
                    at += len(run)
        yield from self._documents.close()

    def _pass_over(self, lines: Lines, start: int, stop: int) -> None:
        self.line += stop - start
        self.size += lines.size(start, stop)
        self._begins_line = lines[stop - 1].endswith(b"\n")

    def _take(self, piece: bytes) -> Iterator[Outcome]:
        documents, begins_line = self._documents, self._begins_line
        self.line += begins_line
        self.size += len(piece)
        self._begins_line = piece.endswith(b"\n")
        underway = documents.underway
        if begins_line and not underway and piece[0] == _BRACE and (record := decode_line(piece)) is not None:
            yield self.line, record  # by far the most frequent case
        elif begins_line and not underway and (is_header(piece) or self._table.ready):
            yield from self._tabular(piece)
        elif begins_line or underway:
            yield from documents.feed(self.line, piece)

    def _tabular(self, piece: bytes) -> Iterator[Outcome]:
        if is_header(piece):
            self._table = self._table.under(piece)
        elif piece.strip(BLANK):
            yield self.line, self._table.row(piece, last=not piece.endswith(b"\n"))


def expand(paths: list[Path]) -> list[Path]:
    """List the files meant by paths: a directory is every file below it, sorted; hidden files are left out."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        below = (file for file in path.rglob("*") if file.is_file())
        found += sorted(file for file in below if not any(p.startswith(".") for p in file.relative_to(path).parts))
    return found
