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
        Values; those that `of` finds are in ascending order.
    places
        Shape (n,): place of each row's value, -1 for none.
    """

    distinct: list[Any]
    places: Rows

    @classmethod
    def of(cls, values: pl.Series) -> Self:
        """Find the distinct values of a series of texts, or of numbers and times as numbers."""
        if values.dtype == pl.String:
            distinct = values.drop_nulls().unique().sort()
            places = values.cast(pl.Enum(distinct)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
            return cls(distinct.to_list(), places)
        numbers, places = np.unique(values.to_physical().to_numpy(), return_inverse=True)
        return cls(numbers.tolist(), places)

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


class KeyedTable:
    """A table whose rows are found by their key.

    Parameters
    ----------
    table
        Rows whose key has a null are never found; of several with the same key the first is.
    on
        Names of the columns that make up the key.
    """

    def __init__(self, table: pl.DataFrame, *on: str) -> None:
        self._table = table
        columns = [Column.of(table[name]) for name in on]
        self._places = [{value: place for place, value in enumerate(column.distinct)} for column in columns]
        numbers, found = self._numbers(columns)
        rows = np.flatnonzero(found)
        order = np.argsort(numbers[rows], kind="stable")
        self._sorted, self._rows = numbers[rows][order], rows[order]

    def find(self, *key: Column) -> Rows:
        """Find the row of each key, -1 where there is none, shape (n,); O(n log rows)."""
        numbers, found = self._numbers(key)
        if not len(self._sorted):
            return np.full(len(numbers), -1)
        near = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        return np.where(found & (self._sorted[near] == numbers), self._rows[near], -1)

    def take(self, name: str, rows: Rows) -> NDArray[np.float64]:
        """Give the numbers of a column in the rows that `find` gave, NaN where there was none or it is null."""
        values = self._table[name].to_physical().to_numpy()
        taken = np.full(len(rows), np.nan)
        there = rows >= 0
        taken[there] = values[rows[there]]
        return taken

    def _numbers(self, key: Sequence[Column]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Give each key a number, and whether the table has every value of it."""
        numbers = np.zeros(len(key[0].places), np.int64)
        found = np.ones(len(numbers), np.bool_)
        for places, column in zip(self._places, key, strict=True):
            known = np.array([*(places.get(value, -1) for value in column.distinct), -1], np.int64)[column.places]
            numbers = numbers * len(places) + known
            found &= known >= 0
        return numbers, found


def first_known(*choices: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Give, element by element, the first of the choices that is not NaN, shape (n,)."""
    *others, last = choices
    for choice in reversed(others):
        last = np.where(np.isnan(choice), last, choice)
    return np.asarray(last)
