"""Rows as single numbers: texts become numbers, and the numbers of a row one, which is faster to sort and to count."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

_LARGEST = (1 << 63) - 1


def places(texts: pl.Series) -> pl.Series:
    """Give the place of each text among the distinct ones in order; each of these is compared once."""
    categories = texts.cast(pl.Categorical)
    distinct = categories.unique()
    by_name = distinct.to_physical()[distinct.cast(pl.String).arg_sort()].to_numpy()
    place = np.zeros(int(by_name.max(initial=0)) + 1, np.int64)
    place[by_name] = np.arange(len(by_name))
    return pl.Series(place[categories.to_physical().to_numpy()])


def size(numbers: pl.Series) -> int:
    """Give the least number above all of some that are not negative."""
    return int(numbers.max() or 0) + 1  # type: ignore[arg-type]  # of integers


def packed(numbers: Sequence[pl.Series], sizes: Sequence[int]) -> pl.Series:
    """Make one number of several, each of which is at least 0 and below its size; they compare as the tuples do.

    Raises
    ------
    OverflowError
        If the sizes multiply to more than 64 bits hold.
    """
    if math.prod(sizes) > _LARGEST:
        raise OverflowError("too many windows and items at once: work on fewer workloads or days at a time")
    whole = numbers[0].cast(pl.Int64)
    for more, of in zip(numbers[1:], sizes[1:], strict=True):
        whole = whole * of + more
    return whole


def unpacked(whole: pl.Series, sizes: Sequence[int]) -> list[pl.Series]:
    """Give the numbers that one was made of."""
    found = []
    for of in reversed(sizes[1:]):
        found.append(whole % of)
        whole = whole // of
    return [whole, *reversed(found)]
