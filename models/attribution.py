"""Which features shortened a window's path through the forest, so that it was isolated early.

The forest sees no features but the strongest evidence of any group, the second strongest, and so on. What it credits
to such a place belongs to the feature that filled it in this window.
"""

import numpy as np
from numpy.typing import NDArray

from features.protocols import specs
from models.aggregates import aggregate, groups
from models.flat_forest import FlatForest
from models.scores import Attribution


def attribute(forest: FlatForest, believed: NDArray[np.float64]) -> list[Attribution]:
    """Attribute path lengths to features.

    Parameters
    ----------
    forest
        Over `aggregate` vectors.
    believed
        Bits per feature, shape (n, features).

    Returns
    -------
    One of each row. Credits sum to the difference of the path lengths up to rounding of floats; those of features
    without evidence are positive or negative too: that there was little else made the path longer.
    """
    names, expected = list(specs()), forest.expected_path_length
    found = []
    for credit, places in zip(forest.attribute(aggregate(believed)), suppliers(believed), strict=True):
        length = expected - float(credit.sum())
        told = {names[column]: float(splits) for column, splits in zip(places, credit, strict=False)}
        found.append(Attribution(expected_path_length=expected, path_length=length, credit=told))
    return found


def suppliers(believed: NDArray[np.float64]) -> NDArray[np.intp]:
    """Give the strongest feature of each group, shape (n, groups), the strongest group first."""
    group = np.array([groups().index(spec.group) for spec in specs().values()])
    members = [np.flatnonzero(group == number) for number in range(len(groups()))]
    strongest = np.stack([own[np.argmax(believed[:, own], axis=1)] for own in members], axis=1)
    order = np.argsort(-np.take_along_axis(believed, strongest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(strongest, order, axis=1)
