"""Zeek's own tab-separated form, whose header lines say how to read the rows."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from features.documents import Malformed
from features.protocols import Record

_HEX = re.compile(r"\\x([0-9a-fA-F]{2})")
FRACTIONS = frozenset({"double", "interval", "time"})
WHOLE = frozenset({"count", "int", "port"})
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


@dataclass(frozen=True)
class ZeekTable:
    """What header lines say of the rows below them; a rotated or concatenated file may hold several headers.

    Parameters
    ----------
    separator, set_separator
        What stands between values, and between the elements of one.
    empty, unset
        How a value without content, and one that is absent, are written.
    path
        Name of the log.
    fields, types
        Names of the columns, and Zeek's type of each; none before a header has named them.
    """

    separator: str = "\t"
    set_separator: str = ","
    empty: str = "(empty)"
    unset: str = "-"
    path: str | None = None
    fields: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether a header has named the columns."""
        return bool(self.fields)

    @cached_property
    def _converters(self) -> list[Callable[[str], Any]]:
        return [self._converter(kind) for kind in self.types]

    def under(self, line: bytes) -> "ZeekTable":
        """Take in one more header line."""
        content = line.decode("utf-8", "replace").rstrip("\r\n")
        if content.startswith("#separator"):
            return ZeekTable(_separator(content.removeprefix("#separator")))
        word, *values = content.split(self.separator)
        if len(values) == 0 and " " in word:  # a writer that separates the header by spaces
            word, *values = content.split()
        value = values[0] if values else ""
        changed: dict[str, Any] = {}
        match word:
            case "#set_separator":
                changed = {"set_separator": value or ","}
            case "#empty_field":
                changed = {"empty": value}
            case "#unset_field":
                changed = {"unset": value}
            case "#path":
                changed = {"path": value}
            case "#fields":
                changed = {"fields": tuple(values), "types": ("string",) * len(values)}
            case "#types":
                missing = len(self.fields) - len(values)
                changed = {"types": (*values[: len(self.fields)], *["string"] * missing)}
            case _:  # `#open`, `#close`
                pass
        return replace(self, **changed)

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
        values = content.split(self.separator)
        if last and len(values) < len(self.fields):
            return Malformed.of(line, "last line breaks off")
        record: Record = {"_path": self.path} if self.path else {}
        unset, empty = self.unset, self.empty
        try:
            for field, value, convert in zip(self.fields, values, self._converters, strict=False):
                if value != unset:
                    record[field] = convert(value) if value != empty else None
        except ValueError as error:
            return Malformed.of(line, f"{field}: {error}")
        return record

    def _converter(self, kind: str) -> Callable[[str], Any]:
        if kind in FRACTIONS:
            return float
        if kind in WHOLE:
            return int
        if kind == "bool":
            return _truth
        if is_collection(kind):
            return self._elements
        return _unescape

    def _elements(self, value: str) -> list[str]:
        return [_unescape(element) for element in value.split(self.set_separator) if element != self.unset]


def is_collection(kind: str) -> bool:
    """Say whether values of a type have elements."""
    return kind.startswith(("set[", "vector[", "table["))


def _truth(value: str) -> bool:
    return value == "T"


def _separator(written: str) -> str:
    value = written.strip(" ") or "\t"
    if value.startswith("\t"):  # `#separator<TAB>\x09`, or a tab written as itself
        value = value.strip("\t") or "\t"
    if value == "\\t":
        return "\t"
    return _unescape(value)
