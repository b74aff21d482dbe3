"""An isolation forest as flat arrays: scores and attributes without scikit-learn, and without pickle to load it.

Scores equal those of scikit-learn's `IsolationForest` with the sign turned: `2 ** -(mean path length / c(max_samples))`
(Liu, Ting and Zhou, ICDM 2008), higher is stranger.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.errors import ArtefactError
from models.leaf_masks import LeafMasks, Trees

BLOCK = 256  # rows; keeps the masks of a block within a core's cache
MAX_NODES = 4_000_000
MAX_TREES = 2_000
MAX_FEATURES = 4_096
MAX_DEPTH = 64
DTYPES: dict[str, Any] = {
    "feature": np.int32,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "samples": np.int32,
    "roots": np.int32,
    "shape": np.int64,
}


@dataclass(frozen=True, eq=False)
class FlatForest:
    """A fitted isolation forest.

    Attributes
    ----------
    trees
        The nodes of all trees.
    n_features
        Columns of the evidence, d.
    max_samples
        Training rows of each tree; it scales path lengths.
    """

    trees: Trees
    n_features: int
    max_samples: int

    def score(self, evidence: ArrayLike) -> NDArray[np.float64]:
        """Return the anomaly score of each row, (n,), in (0, 1]; higher is stranger.

        Parameters
        ----------
        evidence
            Bits, (n, d). Numbers beyond the range of float32 count as infinite.

        Raises
        ------
        ValueError
            The evidence has another number of columns, or holds NaN.
        """
        values = self._checked(evidence)
        paths = np.empty(len(values))
        for block in _blocks(len(values)):
            paths[block] = sum(masks.path_lengths(values[block]) for masks in self._masks)
        scale = len(self.trees.roots) * float(average_path_length(np.array([self.max_samples]))[0])
        return np.exp2(-paths / scale) if scale else np.full(len(values), 0.5)

    def attribute(self, evidence: ArrayLike) -> NDArray[np.float64]:
        """Return how much each column shortens the mean path of each row, (n, d), in splits; positive is stranger.

        Each split on a row's path credits its column with the change of the expected path length (Saabas, 2014), so
        `expected_path_length - attribute(x).sum(axis=1)` is the mean path length of x, exactly.

        Raises
        ------
        ValueError
            The evidence has another number of columns, or holds NaN.
        """
        values = self._checked(evidence)
        credit = np.empty((len(values), self.n_features))
        for block in _blocks(len(values)):
            credit[block] = sum(self._credit(masks.leaves(values[block])) for masks in self._masks)
        return credit / len(self.trees.roots)

    @cached_property
    def expected_path_length(self) -> float:
        """Mean path length of the training rows, in splits."""
        return float(self._expected[self.trees.roots].mean())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything that `from_arrays` needs."""
        trees = {name: getattr(self.trees, name) for name in DTYPES if name != "shape"}
        return trees | {"shape": np.array([self.n_features, self.max_samples], np.int64)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the forest of `arrays`, whoever made them.

        Raises
        ------
        ArtefactError
            The arrays are not those of well-formed trees.
        """
        if set(arrays) != set(DTYPES):
            raise ArtefactError(f"forest: expected arrays {sorted(DTYPES)}, got {sorted(arrays)}")
        for name, dtype in DTYPES.items():
            if arrays[name].dtype != dtype or arrays[name].ndim != 1:
                raise ArtefactError(f"forest: {name} must be a vector of {np.dtype(dtype).name}")
        _require(arrays["shape"].shape == (2,), "shape must hold two numbers")
        n_features, max_samples = arrays["shape"].tolist()
        trees = Trees(**{name: np.ascontiguousarray(arrays[name]) for name in DTYPES if name != "shape"})
        _require(1 <= n_features <= MAX_FEATURES, f"columns must be 1 to {MAX_FEATURES}")
        _require(1 <= max_samples < 2**31, "max_samples must be positive")
        _check_sizes(trees)
        _check_nodes(trees, n_features)
        _check_links(trees)
        _require(bool((trees.samples[trees.roots] <= max_samples).all()), "a root has more rows than max_samples")
        _depths(trees)
        return cls(trees, n_features, max_samples)

    @cached_property
    def _masks(self) -> list[LeafMasks]:
        return LeafMasks.build(self.trees, self._lengths, self.n_features)

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        """Splits from the root to each node, plus those that its training rows would still need."""
        return _depths(self.trees) + average_path_length(self.trees.samples)

    @cached_property
    def _parents(self) -> NDArray[np.intp]:
        parents = np.full(self.trees.feature.size, -1, np.intp)
        inner = np.flatnonzero(self.trees.feature >= 0)
        parents[self.trees.left[inner]] = inner
        parents[self.trees.right[inner]] = inner
        return parents

    @cached_property
    def _expected(self) -> NDArray[np.float64]:
        """Mean path length of the training rows below each node."""
        leaf = self.trees.feature < 0
        total = np.where(leaf, self._lengths * self.trees.samples, 0.0)
        depths = _depths(self.trees)
        for depth in range(int(depths.max()), 0, -1):
            nodes = np.flatnonzero(depths == depth)
            np.add.at(total, self._parents[nodes], total[nodes])
        expected: NDArray[np.float64] = total / self.trees.samples
        return expected

    def _credit(self, leaves: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the sum over trees of the credit of each column on the way to `leaves` (n, trees), (n, d)."""
        rows = np.repeat(np.arange(len(leaves)), leaves.shape[1])
        nodes = leaves.ravel()
        total = np.zeros(len(leaves) * self.n_features)
        while True:
            parents = self._parents[nodes]
            below = parents >= 0
            if not below.any():
                return total.reshape(len(leaves), self.n_features)
            rows, nodes, parents = rows[below], nodes[below], parents[below]
            gain = self._expected[parents] - self._expected[nodes]
            total += np.bincount(rows * self.n_features + self.trees.feature[parents], gain, total.size)
            nodes = parents

    def _checked(self, evidence: ArrayLike) -> NDArray[np.float32]:
        values = np.asarray(evidence, np.float64)
        if values.ndim != 2 or values.shape[1] != self.n_features:  # noqa: PLR2004 - rows and columns
            raise ValueError(f"expected evidence of shape (n, {self.n_features}), got {values.shape}")
        if np.isnan(values).any():
            row, column = np.argwhere(np.isnan(values))[0]
            raise ValueError(f"evidence holds NaN, first in row {row}, column {column}: fill it in before scoring")
        with np.errstate(over="ignore"):  # beyond float32 means beyond every threshold, as infinity does
            return values.astype(np.float32)


def average_path_length(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Return the average path length of an unsuccessful search in a binary tree of so many samples (Liu, eq. 1)."""
    n = np.maximum(samples, 3).astype(np.float64)
    many = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.select([samples <= 1, samples < 3], [0.0, 1.0], many)  # noqa: PLR2004 - two samples, one split


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _depths(trees: Trees) -> NDArray[np.int32]:
    """Return the number of splits above each node."""
    depths = np.zeros(trees.feature.size, np.int32)
    level = trees.roots
    for depth in range(MAX_DEPTH + 1):
        depths[level] = depth
        inner = level[trees.feature[level] >= 0]
        if not inner.size:
            return depths
        level = np.concatenate([trees.left[inner], trees.right[inner]])
    raise ArtefactError(f"forest: a tree is deeper than {MAX_DEPTH}")


def _check_sizes(trees: Trees) -> None:
    sizes = {trees.feature.size, trees.threshold.size, trees.left.size, trees.right.size, trees.samples.size}
    _require(len(sizes) == 1, "arrays of nodes differ in length")
    _require(1 <= trees.feature.size <= MAX_NODES, f"nodes must number 1 to {MAX_NODES}")
    _require(1 <= trees.roots.size <= MAX_TREES, f"trees must number 1 to {MAX_TREES}")
    _require(
        trees.roots[0] == 0 and bool((np.diff(trees.roots.astype(np.int64)) > 0).all()), "roots must ascend from 0"
    )
    _require(bool(trees.roots[-1] < trees.feature.size), "a root lies outside the nodes")


def _check_nodes(trees: Trees, n_features: int) -> None:
    _require(bool(((trees.feature >= -1) & (trees.feature < n_features)).all()), "a split names no column")
    _require(bool(np.isfinite(trees.threshold).all()), "a threshold is not finite")
    _require(bool((trees.samples >= 1).all()), "a node without training rows")


def _check_links(trees: Trees) -> None:
    """Every inner node has two later children in its own tree, every node but a root has one parent."""
    leaf = trees.feature < 0
    _require(bool((trees.left[leaf] == -1).all() and (trees.right[leaf] == -1).all()), "a leaf has children")
    inner = np.flatnonzero(~leaf)
    ends = np.append(trees.roots[1:], leaf.size)
    end = ends[np.searchsorted(trees.roots, inner, side="right") - 1]
    for children in (trees.left[inner], trees.right[inner]):
        _require(
            bool(((children > inner) & (children < end)).all()), "a child lies before its parent or outside its tree"
        )
    parents = np.bincount(np.concatenate([trees.left[inner], trees.right[inner]]), minlength=leaf.size)
    parents[trees.roots] += 1
    _require(bool((parents == 1).all()), "a node has no parent or several")
    below = trees.samples[trees.left[inner]].astype(np.int64) + trees.samples[trees.right[inner]]
    _require(bool((below == trees.samples[inner]).all()), "training rows do not add up")


def _require(holds: bool, problem: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise ArtefactError(f"forest: {problem}; train again or restore the model from a trusted copy")
