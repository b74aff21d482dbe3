"""Rows as single numbers: texts become numbers, and the numbers of a row one, which is faster to sort and to count."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
_LARGEST = (1 << 63) - 1


def places(texts: pl.Series) -> Numbers:
    """Give the place of each text among the distinct ones in order; each of these is compared once."""
    categories = texts.cast(pl.Categorical)
    distinct = categories.unique()
    by_name = distinct.to_physical()[distinct.cast(pl.String).arg_sort()].to_numpy()
    place = np.zeros(size(by_name), np.int64)
    place[by_name] = np.arange(len(by_name))
    return np.take(place, categories.to_physical().to_numpy())


def size(numbers: NDArray[np.integer]) -> int:
    """Give the least number above all of some that are not negative."""
    return int(numbers.max(initial=0)) + 1


def packed(numbers: Sequence[NDArray[np.integer]]) -> tuple[Numbers, list[int]]:
    """Make one number of several that are not negative; they compare as the tuples do.

    Returns
    -------
    The numbers, and the sizes that `unpacked` asks for.

    Raises
    ------
    OverflowError
        If the sizes multiply to more than 64 bits hold.
    """
    sizes = [size(one) for one in numbers]
    if math.prod(sizes) > _LARGEST:
        raise OverflowError("too many windows and items at once: work on fewer workloads or days at a time")
    whole = numbers[0].astype(np.int64)
    for more, of in zip(numbers[1:], sizes[1:], strict=True):
        whole = whole * of + more
    return whole, sizes


def unpacked(whole: Numbers, sizes: Sequence[int]) -> list[Numbers]:
    """Give the numbers that one was made of."""
    found = []
    for of in reversed(sizes[1:]):
        whole, last = np.divmod(whole, of)
        found.append(last)
    return [whole, *reversed(found)]
