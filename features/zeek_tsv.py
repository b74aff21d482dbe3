"""Zeek's own tab-separated form, whose header lines say how to read the rows."""

import re
from collections.abc import Callable
from typing import Any

from features.documents import Malformed
from features.protocols import Record

_HEX = re.compile(r"\\x([0-9a-fA-F]{2})")
_FRACTIONS = {"double", "interval", "time"}
_WHOLE = {"count", "int", "port"}
_HEADER = ("separator", "set_separator", "empty_field", "unset_field", "path", "open", "close", "fields", "types")
_HEADER_WORDS = tuple(f"#{word}".encode() for word in _HEADER)


def is_header(line: bytes) -> bool:
    """Say whether a line is one of a Zeek header or footer."""
    return line.startswith(_HEADER_WORDS)


def _unescape(value: str) -> str:
    if "\\x" not in value:
        return value
    # Zeek writes each byte of a character outside ASCII as its own escape
    raw = _HEX.sub(lambda match: chr(int(match[1], 16)), value)
    try:
        return raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return raw


class ZeekTable:
    """Reads the rows under the latest header; a rotated or concatenated file may hold several."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._separator, self._set_separator, self._empty, self._unset = "\t", ",", "(empty)", "-"
        self._path: str | None = None
        self._fields: list[str] = []
        self._converters: list[Callable[[str], Any]] = []

    @property
    def ready(self) -> bool:
        """Whether a header has named the columns."""
        return bool(self._fields)

    def header(self, line: bytes) -> None:
        """Take in one header line."""
        content = line.decode("utf-8", "replace").rstrip("\r\n")
        if content.startswith("#separator"):
            self._begin()
            self._separator = _separator(content.removeprefix("#separator"))
            return
        word, *values = content.split(self._separator)
        if len(values) == 0 and " " in word:  # a writer that separates the header by spaces
            word, *values = content.split()
        value = values[0] if values else ""
        if word == "#set_separator":
            self._set_separator = value or ","
        elif word == "#empty_field":
            self._empty = value
        elif word == "#unset_field":
            self._unset = value
        elif word == "#path":
            self._path = value
        elif word == "#fields":
            self._fields, self._converters = values, [_unescape] * len(values)
        elif word == "#types":
            self._converters = [self._converter(kind) for kind in values[: len(self._fields)]]
            self._converters += [_unescape] * (len(self._fields) - len(self._converters))

    def row(self, line: bytes, *, last: bool = False) -> Record | Malformed:
        """Read one row; columns the header names and the row lacks are absent.

        Parameters
        ----------
        last
            The line has no end: if it is short too, the writer was cut off within a value.
        """
        try:
            content = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            content = line.decode("latin-1").rstrip("\r\n")
        values = content.split(self._separator)
        if last and len(values) < len(self._fields):
            return Malformed.of(line, "last line breaks off")
        record: Record = {"_path": self._path} if self._path else {}
        unset, empty = self._unset, self._empty
        try:
            for field, value, convert in zip(self._fields, values, self._converters, strict=False):
                if value != unset:
                    record[field] = convert(value) if value != empty else None
        except ValueError as error:
            return Malformed.of(line, f"{field}: {error}")
        return record

    def _converter(self, kind: str) -> Callable[[str], Any]:
        if kind in _FRACTIONS:
            return float
        if kind in _WHOLE:
            return int
        if kind == "bool":
            return _truth
        if kind.startswith(("set[", "vector[", "table[")):
            return self._elements
        return _unescape

    def _elements(self, value: str) -> list[str]:
        return [_unescape(element) for element in value.split(self._set_separator) if element != self._unset]


def _truth(value: str) -> bool:
    return value == "T"


def _separator(written: str) -> str:
    value = written.strip(" ") or "\t"
    if value.startswith("\t"):  # `#separator<TAB>\x09`, or a tab written as itself
        value = value.strip("\t") or "\t"
    if value == "\\t":
        return "\t"
    return _unescape(value)
