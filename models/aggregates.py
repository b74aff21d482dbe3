"""From evidence per feature to the vector a forest sees: the strongest evidence of any group, and the second strongest.

A group of features tells one story, so only its strongest counts. Which group it is does not matter to a forest:
evidence in bits is comparable across groups, and in a column per group one loud story is diluted among a dozen quiet.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from features.protocols import FAMILIES, Family, specs


@cache
def groups() -> tuple[str, ...]:
    """Name the groups of features, in order of first declaration."""
    return tuple(dict.fromkeys(spec.group for spec in specs().values()))


@cache
def group_of_feature() -> NDArray[np.intp]:
    """Give the place of each feature's group in `groups`, shape (features,)."""
    return np.array([groups().index(spec.group) for spec in specs().values()])


def aggregate(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the forest's vector.

    Parameters
    ----------
    bits
        Evidence per feature, shape (n, features), in the order of `specs()`.

    Returns
    -------
    Shape (n, 2): strongest evidence of any group, and strongest of any other group.
    """
    return two_strongest(by_group(bits))


def by_group(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the strongest evidence of each group, (n, features) to (n, groups)."""
    grouped = np.zeros((len(bits), len(groups())))
    for column, group in enumerate(group_of_feature()):
        np.maximum(grouped[:, group], bits[:, column], out=grouped[:, group])
    return grouped


def two_strongest(grouped: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the strongest evidence of any group and that of any other, (n, groups) to (n, 2)."""
    return np.ascontiguousarray(np.partition(grouped, (-2, -1), axis=1)[:, :-3:-1])


def by_family(bits: NDArray[np.float64]) -> dict[Family, NDArray[np.float64]]:
    """Give the strongest evidence of each family, shape (n,) each."""
    families = [spec.family for spec in specs().values()]
    empty = np.zeros(len(bits))
    return {
        family: np.max(bits[:, [f == family for f in families]], axis=1, initial=0.0) if family in families else empty
        for family in FAMILIES
    }
