"""JSON documents out of lines: one to a line, many to a line, one over many lines, with other text in between."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import msgspec

from features.protocols import Record

LARGEST_DOCUMENT = 16 * 2**20
MOST_LINES = 500_000  # each line held costs a hundred bytes beside its own
DEEPEST = 128
BLANK = b" \t\r\n\x00\x1e"  # crashes leave zero bytes, RFC 7464 puts a record separator before each document

UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
_decode = msgspec.json.Decoder(
    float_hook=float
).decode  # a number beyond a double is infinite, and refused where it matters
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_QUOTE = ord('"')
_PARTNER = {ord("}"): ord("{"), ord("]"): ord("[")}


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something that is no record: why, and how its text begins."""

    reason: str
    text: str

    @classmethod
    def of(cls, raw: bytes, reason: str) -> "Malformed":
        """Set raw text aside; only its beginning is kept."""
        return cls(reason, raw[:800].strip(BLANK).decode("utf-8", "replace")[:200])


Outcome = tuple[int, Record | Malformed]


class JsonDocuments:
    """Finds the JSON documents in lines given one by one; of a top-level array, each element is a document.

    At most one document is held in memory. A document that breaks off does not take the ones after it along: only
    its first line is set aside, and what follows is read again on its own.
    """

    def __init__(self) -> None:
        self._pending: list[tuple[int, bytes]] = []
        self._size = 0
        self._stack = bytearray()
        self._carry = b""
        self._in_array = False
        self._cut = False  # the latest piece ends within a line too long to hold
        self._skipping = False

    @property
    def underway(self) -> bool:
        """Whether the next line may belong to something begun earlier."""
        return bool(self._pending) or self._in_array or self._skipping

    def feed(self, line: int, raw: bytes) -> Iterator[Outcome]:
        """Read one more line, or one more piece of a line too long to hold."""
        queue = [(line, raw)]
        while queue:
            number, piece = queue.pop()
            if self._skipping:
                self._skipping = not piece.endswith(b"\n")
                continue
            self._cut = len(piece) >= LARGEST_DOCUMENT and not piece.endswith(b"\n")
            piece, self._carry = self._carry + piece, b""
            if piece[:1] in {b"{", b"["} and not self._value_may_follow():
                reread = self._fail("document breaks off")
                yield reread[0]
                queue += [(number, piece), *reversed(reread[1])]
                continue
            for outcome in self._read(number, piece):
                if isinstance(outcome, _Failure):
                    reread = self._fail(outcome.reason)
                    yield reread[0]
                    queue += reversed(reread[1])
                else:
                    yield outcome

    def close(self) -> Iterator[Outcome]:
        """Say what is left at the end of the file."""
        while self._pending or self._carry:
            first, rest = self._fail("document breaks off")
            yield first
            for line, raw in rest:
                yield from self.feed(line, raw)

    def _value_may_follow(self) -> bool:
        if not self._pending or not self._pending[-1][1].endswith(b"\n"):
            return True
        before = self._pending[-1][1].rstrip(BLANK)[-1:]
        return before in {b":", b"["} or (before == b"," and self._stack[-1:] == b"[")

    def _fail(self, reason: str) -> tuple[Outcome, list[tuple[int, bytes]]]:
        lines, self._pending, self._size, self._stack, self._carry = self._pending, [], 0, bytearray(), b""
        line, raw = lines[0]
        # only what begins a line is read again: the inside of a long line would forge records
        rest = [(number, piece) for (before, _), (number, piece) in pairwise(lines) if number != before]
        if self._cut:  # the rest of the line is not read as if it were one
            self._skipping, self._in_array = True, False
            rest = []
        # a document without another at the start of one of its lines is one mistake, not one for each line
        again = rest if any(piece[:1] == b"{" for _, piece in rest) else []
        return (line, Malformed.of(raw, reason)), again

    def _read(self, line: int, raw: bytes) -> "Iterator[Outcome | _Failure]":
        at, in_array = 0, self._in_array
        while at < len(raw):
            if not self._pending:
                at = self._start(raw, at)
                if at == len(raw):
                    return
                if raw[at] not in b"{[":
                    self._in_array = in_array  # `[INFO] ...` begins no array
                    yield line, Malformed.of(raw[at:], "not JSON")
                    return
            end = self._end(raw, at)
            self._pending.append((line, raw[at : len(raw) - len(self._carry)] if end < 0 else raw[at:end]))
            self._size += len(self._pending[-1][1]) + len(self._carry)
            if self._size > LARGEST_DOCUMENT or len(self._pending) > MOST_LINES:
                yield _Failure(f"document is larger than {LARGEST_DOCUMENT} bytes or {MOST_LINES} lines")
                return
            if end == _INCOMPLETE:
                return
            if end < 0:
                yield _Failure(_REASONS[end])
                return
            at = end
            outcome = self._decoded()
            if isinstance(outcome[1], Malformed) and any(piece[:1] == b"{" for _, piece in self._pending[1:]):
                yield _Failure(outcome[1].reason)
                return
            yield outcome
            self._pending, self._size = [], 0

    def _decoded(self) -> Outcome:
        """Decode the document underway, now complete."""
        line, first = self._pending[0]
        try:
            decoded = _decode(b"".join(piece for _, piece in self._pending))
        except UNREADABLE as error:
            return line, Malformed.of(first, str(error))
        return line, decoded if isinstance(decoded, dict) else Malformed.of(first, "not a JSON object")

    def _start(self, raw: bytes, at: int) -> int:
        """Skip to where a document may begin, past what separates the elements of an array."""
        while at < len(raw):
            byte = raw[at : at + 1]
            if byte == b"[" and not self._in_array:
                self._in_array = True
            elif byte == b"]" and self._in_array:
                self._in_array = False
            elif not (byte in BLANK or (byte == b"," and self._in_array)):
                break
            at += 1
        return at

    def _end(self, raw: bytes, at: int) -> int:
        """Find where the document underway ends; negative if not in this line, or never."""
        for token in _TOKEN.finditer(raw, at):
            byte = raw[token.start()]
            if byte == _QUOTE:
                if token.end() - token.start() == 1:
                    if raw.endswith(b"\n"):  # JSON allows no line break within a string
                        return _BROKEN
                    self._carry = raw[token.start() :]
                    return _INCOMPLETE
            elif byte in _PARTNER:
                if not self._stack or self._stack.pop() != _PARTNER[byte]:
                    return _BROKEN
                if not self._stack:
                    return token.end()
            else:
                self._stack.append(byte)
                if len(self._stack) > DEEPEST:
                    return _DEEP
        return _INCOMPLETE


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str


_INCOMPLETE, _BROKEN, _DEEP = -1, -2, -3
_REASONS = {_BROKEN: "document breaks off", _DEEP: f"document is nested deeper than {DEEPEST}"}


def decode_line(raw: bytes) -> Record | None:
    """Decode a line that is exactly one JSON object; none if it is anything else."""
    try:
        decoded = _decode(raw)
    except UNREADABLE:
        return None
    return decoded if isinstance(decoded, dict) else None
