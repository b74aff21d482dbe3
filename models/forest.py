"""Fit isolation forests that can tell tails apart.

A default isolation forest is blind to rare, strong evidence: 256 rows hold no tail, and beyond the largest row no split
is ever drawn. Two settings cure both: thousands of rows per tree, and exaggerated rows among them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.ensemble import IsolationForest
from sklearn.tree import ExtraTreeRegressor

from models.cohort_forests import CohortForests
from models.flat_forest import FlatForest
from models.trees import Trees

STRONGEST_FACTOR = 4.0
ENOUGH = 2000  # windows of a cohort for a forest of its own: about four days of four workloads
COHORT_TREES = 100


def fit_cohort_forests(vectors: NDArray[np.float64], cohorts: NDArray[np.str_], *, seed: int) -> CohortForests:
    """Fit a forest on all `models.aggregates.aggregate` vectors, (n, d), and one on those of each large cohort."""
    names, members = np.unique(np.asarray(cohorts, np.str_), return_inverse=True)
    large = np.flatnonzero(np.bincount(members) >= ENOUGH)
    own = {str(names[i]): fit_forest(vectors[members == i], seed=seed, n_trees=COHORT_TREES) for i in large}
    return CohortForests(fit_forest(vectors, seed=seed), own)


def fit_forest(
    evidence: NDArray[np.float64],
    *,
    seed: int,
    n_trees: int = 200,
    max_samples: int = 4096,
    exaggerated: float = 0.1,
) -> FlatForest:
    """Fit a forest on evidence and compile it.

    Parameters
    ----------
    evidence
        Bits, (n, d), as `models.aggregates.aggregate` gives them. Of more rows than the trees together can draw, a
        random part is used.
    seed
        Makes the fit repeatable.
    n_trees
        Trees to grow.
    max_samples
        Rows that each tree sees, at most.
    exaggerated
        Share of exaggerated rows added: each column drawn from a row of its own, times a factor in [1, 4).

    Raises
    ------
    ValueError
        There is no row or no column, or a number is not finite or beyond float32.
    """
    if evidence.ndim != 2 or not evidence.shape[1]:  # noqa: PLR2004 - rows and columns
        raise ValueError(f"expected evidence of shape (n, d), got {evidence.shape}")
    if not len(evidence):
        raise ValueError("no evidence to fit a forest on")
    if not (np.abs(evidence) < np.finfo(np.float32).max / STRONGEST_FACTOR).all():
        raise ValueError("evidence to fit on must be finite")
    rng = np.random.default_rng(seed)
    if len(evidence) > n_trees * max_samples:
        evidence = evidence[np.sort(rng.choice(len(evidence), n_trees * max_samples, replace=False))]
    rows = np.concatenate([evidence, exaggerate(evidence, round(exaggerated * len(evidence)), rng)])
    max_samples = min(max_samples, len(rows))
    return _flat(list(_grown(rows.astype(np.float32), n_trees, max_samples, rng)), max_samples)


def _grown(
    rows: NDArray[np.float32], n_trees: int, max_samples: int, rng: np.random.Generator
) -> Iterator[ExtraTreeRegressor]:
    """Grow the trees of an isolation forest (Liu, Ting and Zhou, 2008), each on rows drawn for it.

    `IsolationForest` grows the same trees and hands all rows to each, those not drawn with a weight of 0: its cost
    grows with the rows, and this with those drawn.
    """
    depth = math.ceil(math.log2(max(max_samples, 2)))
    with config_context(skip_parameter_validation=True):
        for _ in range(n_trees):
            drawn = rows[rng.choice(len(rows), max_samples, replace=False)]
            tree = ExtraTreeRegressor(max_features=1, max_depth=depth, random_state=int(rng.integers(2**31)))
            yield tree.fit(drawn, rng.uniform(size=max_samples), check_input=False)


def exaggerate(evidence: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return `n` rows of exaggerated evidence, (n, d), from rows (m, d)."""
    columns = evidence.shape[1]
    drawn = evidence[rng.integers(len(evidence), size=(n, columns)), np.arange(columns)]
    return np.asarray(drawn * rng.uniform(1.0, STRONGEST_FACTOR, size=(n, columns)), dtype=np.float64)


def compile_forest(forest: IsolationForest) -> FlatForest:
    """Return the flat arrays of a fitted `IsolationForest` that uses all columns in every tree."""
    return _flat(forest.estimators_, int(forest.max_samples_))


def _flat(grown: Sequence[ExtraTreeRegressor], max_samples: int) -> FlatForest:
    fitted = [tree.tree_ for tree in grown]
    starts = np.cumsum([0, *(tree.node_count for tree in fitted)])

    def nodes(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(tree, name) for tree in fitted])

    offset = np.repeat(starts[:-1], np.diff(starts))
    inner = nodes("children_left") >= 0
    order = _by_level(starts[:-1], inner, nodes("children_left") + offset, nodes("children_right") + offset)
    feature = np.where(inner, nodes("feature"), -1).astype(np.int32)
    threshold = np.where(inner, _round_down(nodes("threshold")), np.float32(0))
    samples = nodes("n_node_samples").astype(np.int32)
    trees = Trees(len(fitted), feature[order], threshold[order], samples[order])
    return FlatForest(trees, int(grown[0].n_features_in_), max_samples)


def _by_level(
    roots: NDArray[np.intp], inner: NDArray[np.bool_], left: NDArray[np.intp], right: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Return the nodes level by level over all trees, siblings side by side."""
    levels = [roots]
    while levels[-1].size:
        split = levels[-1][inner[levels[-1]]]
        levels.append(np.stack([left[split], right[split]], axis=1).ravel())
    return np.concatenate(levels)


def _round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 at or below each threshold: a float32 row compares the same with either."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
