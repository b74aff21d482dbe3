"""Files to decoded records, streamed: one line or one JSON document is in memory at a time."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from features.documents import BLANK, LARGEST_DOCUMENT, JsonDocuments, Malformed, Outcome, decode_line
from features.zeek_tsv import ZeekTable, is_header

_GZIP = b"\x1f\x8b"
_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: decompress it first",
    b"\xfd7zX": "compressed by xz: decompress it first",
    b"BZh": "compressed by bzip2: decompress it first",
    b"PAR1": "a Parquet file, not telemetry as its source writes it",
    b"\xd4\xc3\xb2\xa1": "a packet capture: let Zeek read it first",
    b"\x0a\x0d\x0d\x0a": "a packet capture: let Zeek read it first",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
LONGEST_LINE = LARGEST_DOCUMENT
_BRACE = ord("{")

ReadLine = Callable[[int], bytes]


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
        with self.path.open("rb") as raw:
            self._raw = raw
            start = raw.peek(4)
            for magic, what in _NOT_TEXT.items():
                if start.startswith(magic):
                    yield 1, Malformed(what, "")
                    return
            try:
                with _lines(raw) as readline:
                    yield from self._reader.read(readline)
            except (zlib.error, gzip.BadGzipFile, EOFError) as error:
                yield self._reader.line, Malformed(f"compressed data are damaged after this line: {error}", "")
            finally:
                self.consumed()


@contextmanager
def _lines(raw: io.BufferedReader) -> Iterator[ReadLine]:
    buffered = raw
    if buffered.peek(2)[:2] == _GZIP:
        buffered = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=raw)), 1 << 18)
    start = buffered.peek(3)[:3]
    if start[:2] not in _UTF16:
        if start == _UTF8_MARK:
            buffered.read(3)
        yield buffered.readline
        return
    text = io.TextIOWrapper(buffered, encoding="utf-16", errors="replace", newline="\n")
    try:
        yield lambda limit: text.readline(limit // 4).encode()
    finally:
        text.detach()


class RecordReader:
    """Reads records from lines; `line` is the number of the latest, `size` the bytes read."""

    def __init__(self) -> None:
        self.line = self.size = 0
        self._documents, self._table = JsonDocuments(), ZeekTable()

    def read(self, readline: ReadLine) -> Iterator[Outcome]:
        """Read records.

        Parameters
        ----------
        readline
            Gives the next line, its end included, or the next piece of at most so many bytes; empty at the end.
        """
        documents = self._documents
        begins_line = True
        while piece := readline(LONGEST_LINE):
            self.line += begins_line
            self.size += len(piece)
            underway = documents.underway
            if begins_line and not underway and piece[0] == _BRACE and (record := decode_line(piece)) is not None:
                yield self.line, record  # by far the most frequent case
                continue
            if begins_line and not underway and (is_header(piece) or (self._table.ready and piece[0] != _BRACE)):
                yield from self._tabular(piece)
            elif begins_line or underway:
                yield from documents.feed(self.line, piece)
            begins_line = piece.endswith(b"\n")
        yield from documents.close()

    def _tabular(self, piece: bytes) -> Iterator[Outcome]:
        if is_header(piece):
            self._table.header(piece)
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
