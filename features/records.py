"""Files to decoded records, streamed: one line or one JSON document is in memory at a time."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from features.documents import BLANK, LARGEST_DOCUMENT, JsonDocuments, Malformed, Outcome, decode_line
from features.zeek_tsv import ZeekTable, is_header

_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
LONGEST_LINE = LARGEST_DOCUMENT

ReadLine = Callable[[int], bytes]


class RecordFile:
    """One file of telemetry: iterating yields each record, or what is no record, with the number of its line.

    Plain or gzip by its first bytes; UTF-8, or UTF-16 with a byte order mark; NDJSON, JSON arrays, concatenated and
    pretty-printed JSON documents, Zeek TSV, and lines of other text, in any mixture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw: IO[bytes] | None = None
        self._consumed = 0

    def consumed(self) -> int:
        """Bytes of the file read so far, as they lie on disk; 0 for what has no position, such as a pipe."""
        if self._raw is not None and not self._raw.closed and self._raw.seekable():
            self._consumed = self._raw.tell()
        return self._consumed

    def __iter__(self) -> Iterator[Outcome]:
        with self.path.open("rb") as raw:
            self._raw = raw
            line = 0
            try:
                for line, outcome in outcomes(_lines(raw)):
                    yield line, outcome
            except (zlib.error, gzip.BadGzipFile, EOFError) as error:
                yield line, Malformed(f"compressed data are damaged after this line: {error}", "")
            finally:
                self.consumed()


def _lines(raw: IO[bytes]) -> ReadLine:
    buffered = cast("io.BufferedReader", raw)
    if buffered.peek(2)[:2] == _GZIP:
        buffered = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=raw)), 1 << 18)
    start = buffered.peek(3)[:3]
    if start[:2] in _UTF16:
        text = io.TextIOWrapper(buffered, encoding="utf-16", errors="replace", newline="\n")
        return lambda limit: text.readline(limit // 4).encode()
    if start == _UTF8_MARK:
        buffered.read(3)
    return buffered.readline


def outcomes(readline: ReadLine) -> Iterator[Outcome]:
    """Read records from lines.

    Parameters
    ----------
    readline
        Gives the next line, its end included, or the next piece of at most so many bytes; empty at the end.
    """
    documents, table = JsonDocuments(), ZeekTable()
    number, begins_line = 0, True
    while piece := readline(LONGEST_LINE):
        number += begins_line
        ends_line = piece.endswith(b"\n")
        underway = documents.underway
        if begins_line and not underway:
            if piece.startswith(b"{") and (record := decode_line(piece)) is not None:
                yield number, record
                continue
            if is_header(piece):
                table.header(piece)
                begins_line = ends_line
                continue
            if table.ready and not piece.startswith(b"{"):
                if piece.strip(BLANK):
                    yield number, table.row(piece, last=not ends_line)
                begins_line = ends_line
                continue
        if begins_line or underway:
            yield from documents.feed(number, piece)
        begins_line = ends_line
    yield from documents.close()


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
