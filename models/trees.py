"""Binary trees side by side in flat arrays, and the walk from a node to a leaf."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MAX_DEPTH = 64


@dataclass(frozen=True, eq=False)
class Trees:
    """Nodes of all trees, level by level: all roots, then all their children, siblings side by side, and so on.

    This order makes links needless: the children of the k-th inner node follow the roots and the children of the inner
    nodes before it. A row goes right where its value exceeds the threshold.

    Attributes
    ----------
    count
        Trees; so many nodes at the start are roots.
    feature
        Column that a node tests, -1 for a leaf.
    threshold
        Largest value that goes left.
    samples
        Training rows of each node.

    Raises
    ------
    ValueError
        The nodes make no trees of at most 64 levels.
    """

    count: int
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    samples: NDArray[np.int32]

    def __post_init__(self) -> None:
        if not 1 <= self.count <= self.feature.size:
            raise ValueError("there must be a root for each tree")
        start, stop = 0, self.count
        for _ in range(MAX_DEPTH):
            start, stop = stop, stop + 2 * int(np.count_nonzero(self.inner[start:stop]))
            if start == stop == self.feature.size:
                return
        raise ValueError(f"nodes make no trees of at most {MAX_DEPTH} levels")

    @cached_property
    def inner(self) -> NDArray[np.bool_]:
        """Whether each node is split."""
        return self.feature >= 0

    @cached_property
    def left(self) -> NDArray[np.intp]:
        """Left child of each inner node; the right one is next to it."""
        before = np.cumsum(self.inner, dtype=np.intp)
        before -= self.inner
        return self.count + 2 * before

    @cached_property
    def parents(self) -> NDArray[np.intp]:
        """Parent of each node, -1 for a root."""
        return np.concatenate([np.full(self.count, -1), np.repeat(np.flatnonzero(self.inner), 2)])

    @cached_property
    def levels(self) -> list[slice]:
        """Nodes of each level, the roots first."""
        levels = [slice(0, self.count)]
        while levels[-1].stop < self.feature.size:
            last = levels[-1]
            levels.append(slice(last.stop, last.stop + 2 * int(np.count_nonzero(self.inner[last]))))
        return levels

    def leaves(self, values: NDArray[np.float32], rows: NDArray[np.intp], nodes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Walk from inner `nodes` to leaves, each guided by the row of `values` beside it; return the leaves."""
        flat, starts = values.ravel(), rows * values.shape[1]
        leaves, live = np.empty_like(nodes), np.arange(nodes.size)
        while nodes.size:
            tested = self.feature.take(nodes) + starts
            failed = flat.take(tested) > self.threshold.take(nodes)
            nodes = self.left.take(nodes) + failed
            leaves[live] = nodes
            still = np.flatnonzero(self.inner.take(nodes))
            live, nodes, starts = live.take(still), nodes.take(still), starts.take(still)
        return leaves
