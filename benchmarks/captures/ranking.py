"""How well a score ranks what is hostile above what is not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata


def auroc(scores: ArrayLike, hostile: ArrayLike) -> float:
    """Give the share of pairs (hostile, benign) that are ranked rightly, ties counted half; NaN without pairs.

    >>> auroc([3.0, 1.0, 1.0], [True, True, False])
    0.75
    """
    scores, hostile = np.asarray(scores, dtype=float), np.asarray(hostile, dtype=bool)
    positives, negatives = int(hostile.sum()), int((~hostile).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)[hostile].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def ranks(scores: ArrayLike, hostile: ArrayLike) -> list[float]:
    """Give the ranks of what is hostile, 1 for the highest score; equal scores share their mean rank.

    >>> ranks([3.0, 1.0, 1.0], [False, True, False])
    [2.5]
    """
    order = rankdata(-np.asarray(scores, dtype=float))
    return sorted(float(rank) for rank in order[np.asarray(hostile, dtype=bool)])


def auroc_within(scores: ArrayLike, hostile: ArrayLike, strata: Sequence[object]) -> tuple[float, int]:
    """Give the share of pairs of the same stratum that are ranked rightly, ties counted half; and the number of pairs.

    >>> auroc_within([3.0, 1.0, 5.0], [True, False, False], ["a", "a", "b"])
    (1.0, 1)
    """
    scores, hostile = np.asarray(scores, dtype=float), np.asarray(hostile, dtype=bool)
    right, pairs = 0.0, 0
    for stratum in set(strata):
        own = np.array([each == stratum for each in strata])
        count = int((own & hostile).sum() * (own & ~hostile).sum())
        if count:
            right, pairs = right + count * auroc(scores[own], hostile[own]), pairs + count
    return (right / pairs if pairs else float("nan")), pairs
