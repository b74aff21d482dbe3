"""Tables that are looked up by key: indexed once, so that a few rows find theirs without a join that reads all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

Rows = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Column:
    """A column of n keys as places among its distinct values: what is done for each value is done once.

    Parameters
    ----------
    distinct
        Values, None for none; those that `of` finds are in ascending order.
    places
        Shape (n,): place of each row's value, -1 for none.
    """

    distinct: list[Any]
    places: Rows

    @classmethod
    def of(cls, values: pl.Series) -> Self:
        """Find the distinct values of a series of texts, or of numbers and times as numbers."""
        if values.dtype != pl.String:
            return cls.of_numbers(values.cast(pl.Int64).to_numpy())
        distinct = sorted(set(values.unique().to_list()) - {None})
        places = values.cast(pl.Enum(distinct)).to_physical()
        if values.null_count():
            places = places.cast(pl.Int64).fill_null(-1)
        return cls(distinct, places.to_numpy().astype(np.intp))

    @classmethod
    def of_numbers(cls, values: NDArray[Any]) -> Self:
        """Find the distinct values of an array, shape (n,)."""
        distinct, places = np.unique(values, return_inverse=True)
        return cls(distinct.tolist(), places)

    @classmethod
    def constant(cls, value: str, length: int) -> Self:
        """Give a column of one value."""
        return cls([value], np.zeros(length, np.intp))

    def __getitem__(self, rows: Rows | NDArray[np.bool_]) -> "Column":
        return Column(self.distinct, self.places[rows])

    def texts(self) -> pl.Series:
        """Write a column of texts out, null for none."""
        places = pl.Series(np.where(self.places < 0, len(self.distinct), self.places))
        return pl.Series([*self.distinct, None], dtype=pl.String).gather(places)


class Index:
    """Keys that are found by their values: the rows whose key has none are not, of several equal ones the first is.

    Parameters
    ----------
    columns
        What the keys consist of, one column for each part.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._places = [{value: place for place, value in enumerate(column.distinct)} for column in columns]
        numbers, whole = self._numbers(columns)
        rows = np.flatnonzero(whole)
        order = np.argsort(numbers[rows], kind="stable")
        self._sorted, self._rows = numbers[rows][order], rows[order]

    def find(self, *key: Column) -> Rows:
        """Find the row of each key, -1 where there is none, shape (n,); O(n log rows)."""
        numbers, known = self._numbers(key)
        if not len(self._sorted):
            return np.full(len(numbers), -1)
        near = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        return np.where(known & (self._sorted[near] == numbers), self._rows[near], -1)

    def _numbers(self, key: Sequence[Column]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Give each key a number, and whether all its parts are known."""
        numbers = np.zeros(len(key[0].places), np.int64)
        known = np.ones(len(numbers), np.bool_)
        for places, column in zip(self._places, key, strict=True):
            part = np.array([*(places.get(value, -1) for value in column.distinct), -1], np.int64)[column.places]
            numbers = numbers * len(places) + part
            known &= part >= 0
        return numbers, known


class KeyedTable:
    """A table whose rows are found by their key, as `Index` finds them.

    Parameters
    ----------
    on
        Names of the columns that make up the key.
    """

    def __init__(self, table: pl.DataFrame, *on: str) -> None:
        self._table = table
        self._columns: dict[str, NDArray[np.float64]] = {}
        self.find = Index([Column.of(table[name]) for name in on]).find

    def take(self, name: str, rows: Rows) -> NDArray[np.float64]:
        """Give the numbers of a column in the rows that `find` gave, NaN where there was none or it is null."""
        if name not in self._columns:
            self._columns[name] = np.append(self._table[name].cast(pl.Float64).to_numpy(), np.nan)
        return self._columns[name][rows]  # -1 stands for the last


def first_known(*choices: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Give, element by element, the first of the choices that is not NaN, shape (n,)."""
    *others, last = choices
    for choice in reversed(others):
        last = np.where(np.isnan(choice), last, choice)
    return np.asarray(last)
