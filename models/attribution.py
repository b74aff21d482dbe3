"""Which features shortened a window's path through the forest, so that it was isolated early.

The forest sees no features but the strongest evidence of any group, the second strongest, and so on. What it credits
to such a place belongs to the feature that filled it in this window.
"""

import numpy as np
from numpy.typing import NDArray

from features.protocols import specs
from models.aggregates import aggregate, group_of_feature, groups
from models.cohort_forests import CohortForests
from models.scores import Attribution


def attribute(forests: CohortForests, believed: NDArray[np.float64], cohorts: NDArray[np.str_]) -> list[Attribution]:
    """Attribute path lengths to features.

    Parameters
    ----------
    forests
        Over `aggregate` vectors; of each window the one is asked that scores it.
    believed
        Bits per feature, shape (n, features).
    cohorts
        Cohort of each window, shape (n,).

    Returns
    -------
    One of each row. Credits sum to the difference of the path lengths up to rounding of floats; those of features
    without evidence are positive or negative too: that there was little else made the path longer.
    """
    names, vectors, places = list(specs()), aggregate(believed), suppliers(believed)
    found: dict[int, Attribution] = {}
    for forest, rows in forests.answering(cohorts):
        expected = forest.expected_path_length
        for row, credit in zip(rows.tolist(), forest.attribute(vectors[rows]), strict=True):
            told = {names[column]: float(splits) for column, splits in zip(places[row], credit, strict=False)}
            length = expected - float(credit.sum())
            found[row] = Attribution(expected_path_length=expected, path_length=length, credit=told)
    return [found[row] for row in range(len(believed))]


def suppliers(believed: NDArray[np.float64]) -> NDArray[np.intp]:
    """Give the strongest feature of each group, shape (n, groups), the strongest group first."""
    members = [np.flatnonzero(group_of_feature() == number) for number in range(len(groups()))]
    strongest = np.stack([own[np.argmax(believed[:, own], axis=1)] for own in members], axis=1)
    order = np.argsort(-np.take_along_axis(believed, strongest, axis=1), axis=1, kind="stable")
    return np.take_along_axis(strongest, order, axis=1)
