"""From evidence per feature to the vector a forest sees: strongest evidence per group, and two aggregates over groups.

One loud feature among sixty is diluted in a forest; one loud group among a dozen, repeated in two aggregates, is not.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from features.protocols import FAMILIES, Family, specs


@cache
def groups() -> tuple[str, ...]:
    """Name the groups of features, in order of first declaration."""
    return tuple(dict.fromkeys(spec.group for spec in specs().values()))


def aggregate(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the forest's vector.

    Parameters
    ----------
    bits
        Evidence per feature, shape (n, features), in the order of `specs()`.

    Returns
    -------
    Shape (n, groups + 2): strongest evidence per group, then the strongest of all and the sum of the two strongest.
    """
    grouped = np.zeros((len(bits), len(groups())))
    for column, spec in enumerate(specs().values()):
        group = groups().index(spec.group)
        np.maximum(grouped[:, group], bits[:, column], out=grouped[:, group])
    strongest = np.sort(grouped, axis=1)[:, :-3:-1]
    return np.column_stack([grouped, strongest[:, 0], strongest.sum(axis=1)])


def by_family(bits: NDArray[np.float64]) -> dict[Family, NDArray[np.float64]]:
    """Give the strongest evidence of each family, shape (n,) each."""
    families = [spec.family for spec in specs().values()]
    empty = np.zeros(len(bits))
    return {
        family: np.max(bits[:, [f == family for f in families]], axis=1, initial=0.0) if family in families else empty
        for family in FAMILIES
    }
