"""An isolation forest as flat arrays: scores and attributes without scikit-learn, and without pickle to load it.

Scores equal those of scikit-learn's `IsolationForest` with the sign turned: `2 ** -(mean path length / c(max_samples))`
(Liu, Ting and Zhou, ICDM 2008), higher is stranger.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.compiled_forest import CompiledForest, prepare, ready
from models.errors import ArtefactError
from models.leaf_hops import LeafHops
from models.leaf_masks import LeafMasks
from models.trees import Trees

BLOCK = 2048  # rows
EXACT = 2.0**-34  # path lengths are multiples of it, so that their sums are exact in any order
WORTH_LOADING = 50_000  # rows; for these numpy takes as long as loading numba
MAX_NODES = 1_000_000
MAX_TREES = 2_000
MAX_FEATURES = 4_096
DTYPES: dict[str, Any] = {
    "feature": np.int32,
    "threshold": np.float32,
    "samples": np.int32,
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

    def score(self, evidence: ArrayLike, *, by: Literal["numpy", "numba"] | None = None) -> NDArray[np.float64]:
        """Return the anomaly score of each row, (n,), in (0, 1]; higher is stranger.

        Parameters
        ----------
        evidence
            Bits, (n, d). Numbers beyond the range of float32 count as infinite.
        by
            What computes them, to the same bit. By default numba if it has been loaded by
            `models.compiled_forest.prepare`, or is installed and the rows are many enough to load it for; else numpy.

        Raises
        ------
        ValueError
            The evidence has another number of columns, or holds NaN.
        ImportError
            numba was asked for and is not installed.
        """
        values = self._checked(evidence)
        if (by or self._chosen(len(values))) == "numba":
            paths = self._compiled.path_lengths(values)
        else:
            paths = self._path_lengths(values)
        return np.exp2(-paths / self._scale) if self._scale else np.full(len(values), 0.5)

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
            credit[block] = self._credit(self._masks.leaves(values[block]))
        return credit / self.trees.count

    @cached_property
    def expected_path_length(self) -> float:
        """Mean path length of the training rows, in splits."""
        return float(self._expected[: self.trees.count].mean())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything that `from_arrays` needs."""
        trees = self.trees
        shape = np.array([trees.count, self.n_features, self.max_samples], np.int64)
        return {"feature": trees.feature, "threshold": trees.threshold, "samples": trees.samples, "shape": shape}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the forest of `arrays`, whoever made them.

        Raises
        ------
        ArtefactError
            The arrays are not those of well-formed trees.
        """
        _require(set(arrays) == set(DTYPES), f"expected arrays {sorted(DTYPES)}, got {sorted(arrays)}")
        for name, dtype in DTYPES.items():
            good = arrays[name].dtype == dtype and arrays[name].ndim == 1
            _require(good, f"{name} must be a vector of {np.dtype(dtype).name}")
        _require(arrays["shape"].shape == (3,), "shape must hold three numbers")
        count, n_features, max_samples = arrays["shape"].tolist()
        _require(1 <= count <= MAX_TREES, f"trees must number 1 to {MAX_TREES}")
        _require(1 <= n_features <= MAX_FEATURES, f"columns must number 1 to {MAX_FEATURES}")
        nodes = {name: np.ascontiguousarray(arrays[name]) for name in DTYPES if name != "shape"}
        _check_nodes(nodes, n_features)
        try:
            trees = Trees(count, **nodes)
        except ValueError as error:
            raise _refusal(str(error)) from error
        _check_samples(trees, max_samples)
        return cls(trees, n_features, max_samples)

    def _chosen(self, rows: int) -> Literal["numpy", "numba"]:
        small = self.trees.feature.size <= MAX_NODES and self.n_features <= MAX_FEATURES
        wanted = small and (ready() or rows >= WORTH_LOADING)
        return "numba" if wanted and prepare() else "numpy"

    def _path_lengths(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        if len(values) == 1:
            one: NDArray[np.float64] = self._lengths.take(self._hops.leaves(values[0])).sum(keepdims=True)
            return one
        paths = np.empty(len(values))
        for block in _blocks(len(values)):
            paths[block] = self._masks.path_lengths(values[block])
        return paths

    @cached_property
    def _compiled(self) -> CompiledForest:
        return CompiledForest.build(self.trees, self._lengths)

    @cached_property
    def _masks(self) -> LeafMasks:
        return LeafMasks.build(self.trees, self._lengths, self.n_features)

    @cached_property
    def _hops(self) -> LeafHops:
        return LeafHops.build(self.trees)

    @cached_property
    def _scale(self) -> float:
        """Sum over trees of the path length that leads to a score of a half."""
        return self.trees.count * float(average_path_length(np.array([self.max_samples]))[0])

    @cached_property
    def _lengths(self) -> NDArray[np.float64]:
        """Splits from the root to each node, plus those that its training rows would still need."""
        sizes = [level.stop - level.start for level in self.trees.levels]
        lengths = np.repeat(np.arange(len(sizes)), sizes) + average_path_length(self.trees.samples)
        return np.round(lengths / EXACT) * EXACT

    @cached_property
    def _expected(self) -> NDArray[np.float64]:
        """Mean path length of the training rows below each node."""
        total = np.where(self.trees.inner, 0.0, self._lengths * self.trees.samples)
        for level in self.trees.levels[:0:-1]:
            parents = self.trees.parents[level][::2]
            total[parents] = total[level].reshape(-1, 2).sum(axis=1)
        expected: NDArray[np.float64] = total / self.trees.samples
        return expected

    def _credit(self, leaves: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the sum over trees of the credit of each column on the way to `leaves` (n, trees), (n, d)."""
        rows = np.repeat(np.arange(len(leaves)), leaves.shape[1])
        nodes = leaves.ravel()
        total = np.zeros(len(leaves) * self.n_features)
        while True:
            parents = self.trees.parents[nodes]
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
        if np.count_nonzero(np.isnan(values)):  # half the time of `any`, which tells for one row
            row, column = np.argwhere(np.isnan(values))[0]
            raise ValueError(f"evidence holds NaN, first in row {row}, column {column}: fill it in before scoring")
        return _single(values)


def average_path_length(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Return the average path length of an unsuccessful search in a binary tree of so many samples (Liu, eq. 1)."""
    n = np.maximum(samples, 3).astype(np.float64)
    many = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.select([samples <= 1, samples < 3], [0.0, 1.0], many)  # noqa: PLR2004 - two samples, one split


@np.errstate(over="ignore")
def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return values as float32; beyond its range means beyond every threshold, as infinity does."""
    return values.astype(np.float32)


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))


def _check_nodes(nodes: Mapping[str, NDArray[Any]], n_features: int) -> None:
    sizes = {array.size for array in nodes.values()}
    _require(len(sizes) == 1, "arrays of nodes differ in length")
    _require(1 <= max(sizes) <= MAX_NODES, f"nodes must number 1 to {MAX_NODES}")
    feature = nodes["feature"]
    _require(bool(((feature >= -1) & (feature < n_features)).all()), "a split names no column")
    _require(bool(np.isfinite(nodes["threshold"]).all()), "a threshold is not finite")
    _require(bool((nodes["samples"] >= 1).all()), "a node has no training rows")


def _check_samples(trees: Trees, max_samples: int) -> None:
    below = trees.samples[trees.count :].reshape(-1, 2).sum(axis=1, dtype=np.int64)
    _require(bool((below == trees.samples[trees.inner]).all()), "training rows do not add up")
    _require(bool((trees.samples[: trees.count] == max_samples).all()), "trees must have max_samples training rows")


def _require(holds: bool, problem: str) -> None:  # noqa: FBT001 - reads as an assertion
    if not holds:
        raise _refusal(problem)


def _refusal(problem: str) -> ArtefactError:
    return ArtefactError(f"forest: {problem}; train again or restore the model from a trusted copy")
