"""Rows of Zeek's tab-separated form many at a time, as the columns of a shape."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import polars as pl

from features.documents import Malformed
from features.field_frames import shaped
from features.lines import Lines
from features.protocols import Record
from features.shapes import NEEDED_TRUTH, TEXTS, Field, Shape
from features.zeek_tsv import FRACTIONS, WHOLE, ZeekTable, is_collection

_TEXT = pl.String()
_NEWLINE, _SPACE = b"\n "
_NO_ROW = np.frombuffer(b"#{", np.uint8)  # as what a header line or a JSON document begins with


class ZeekColumns:
    """Reads runs of rows under one header.

    Parameters
    ----------
    table
        The header; it names each field once, and gives those of the shape a type of the same meaning.
    shape
        What the rows are records of.
    """

    together = 50_000

    def __init__(self, table: ZeekTable, shape: Shape) -> None:
        self._table, self.shape = table, shape
        self._separator = ord(table.separator)
        self._dtypes = {name: _dtype(kind) for name, kind in zip(table.fields, table.types, strict=True)}
        # every text is good, whatever it is; a number that nobody wants must still be one
        self._read = [
            position
            for position, (name, dtype) in enumerate(self._dtypes.items())
            if name in shape.columns or dtype != _TEXT
        ]
        self._texts = [name for name in table.fields if name in shape.columns and self._dtypes[name] == _TEXT]

    def run(self, lines: Lines, start: int, stop: int) -> pl.DataFrame:
        """Read rows from `start` on, as far as they are rows of this table beyond doubt and at most to `stop`."""
        while stop > start:
            if (read := self._parsed(lines, start, stop)) is not None:
                return read
            stop = start + (stop - start) // 2
        return pl.DataFrame()

    def alone(self, line: bytes) -> Record | Malformed:
        """Read one row."""
        return self._table.row(line)

    def _parsed(self, lines: Lines, start: int, stop: int) -> pl.DataFrame | None:
        text = lines.text(start, stop)
        if not (lines.is_utf8 and self._are_rows(text, stop - start)):
            return None
        try:
            return pl.read_csv(
                text,
                has_header=False,
                separator=self._table.separator,
                quote_char=None,
                null_values=[self._table.unset, self._table.empty],
                schema=self._dtypes,
                columns=self._read,
            )
        except pl.exceptions.PolarsError:  # too many values, or one of another type
            return None

    def _are_rows(self, text: bytes, lines: int) -> bool:
        """Say whether each line has all values, none of them blank, and none looks like something else than a row."""
        letters, width = np.frombuffer(text, np.uint8), len(self._dtypes)
        ends = np.flatnonzero((letters == self._separator) | (letters == _NEWLINE))
        if len(ends) != lines * width or b"\r" in text or not (letters[ends[width - 1 :: width]] == _NEWLINE).all():
            return False
        begins = np.append(0, ends[:-1] + 1)
        blank = (begins == ends) | (letters[begins] == _SPACE)
        return not (blank.any() or np.isin(letters[begins[::width]], _NO_ROW).any())

    def frame(self, runs: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """Put the rows of runs into the columns of the shape; one that it does not fit has the time -1."""
        read = pl.concat(runs)
        escaped = [pl.col(name).str.contains("\\x", literal=True) for name in self._texts]
        return shaped(
            read.with_columns(pl.when(~pl.any_horizontal(*escaped, pl.lit(value=False))).then("ts")).with_columns(
                *((pl.col(name) == "T") for name in self._of(NEEDED_TRUTH)),
                *(self._elements(pl.col(name)) for name in self._of(TEXTS)),
            ),
            self.shape,
        )

    def _of(self, field: Field) -> list[str]:
        return [name for name, held in self.shape.columns.items() if held is field and name in self._dtypes]

    def _elements(self, column: pl.Expr) -> pl.Expr:
        elements = column.str.split(self._table.set_separator)
        return elements.list.eval(pl.element().filter(pl.element() != self._table.unset))


@lru_cache(maxsize=64)
def zeek_columns(table: ZeekTable, shape: Shape) -> ZeekColumns | None:
    """Give a reader of rows as records of a shape; None if the header does not let them be read together."""
    kinds = dict(zip(table.fields, table.types, strict=True))
    fit = (
        len(kinds) == len(table.fields) > 1
        and "ts" in kinds
        and kinds.keys().isdisjoint({"_path", "@stream"})
        and len(table.separator) == 1
        and table.separator.isascii()
        and table.separator not in "\r\n"
        and all(_meaning(field)(kinds[name]) for name, field in shape.columns.items() if name in kinds)
    )
    return ZeekColumns(table, shape) if fit else None


def _dtype(kind: str) -> pl.DataType:
    return pl.Float64() if kind in FRACTIONS else pl.Int64() if kind in WHOLE else _TEXT


def _meaning(field: Field) -> Callable[[str], bool]:
    """Give the test of Zeek's types that are read as a field."""
    if field is TEXTS:
        return is_collection
    if field is NEEDED_TRUTH:
        return lambda kind: kind == "bool"
    if field.largest is not None:
        return lambda kind: kind in WHOLE
    if field.dtype == _TEXT:
        return lambda kind: kind not in FRACTIONS | WHOLE | {"bool"} and not is_collection(kind)
    return lambda kind: kind in FRACTIONS
