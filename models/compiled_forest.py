"""Score with machine code where numba is installed, and do without where it is not.

Nothing here imports numba before `prepare` is called: that takes half a second, and seconds where the code has yet to
be compiled, which a web worker must spend before its first request and not during it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.trees import Trees

MOST_NODES = 2**20
MOST_FEATURES = 2**12
KEY_BITS = 32
FEATURE_SHIFT = 20
LEAF = 0xFF800001  # the first key beyond that of infinity


@cache
def prepare() -> bool:
    """Load the kernel, compiling it unless an earlier process has; return whether it can be used."""
    try:
        _kernel()
    except ImportError:
        return False
    return True


def ready() -> bool:
    """Return whether the kernel is loaded."""
    return _kernel.cache_info().currsize > 0


@cache
def _kernel() -> Callable[..., None]:
    from models.forest_kernel import add_path_lengths  # noqa: PLC0415 - see the module's docstring

    return add_path_lengths


@dataclass(frozen=True, eq=False)
class CompiledForest:
    """Trees as the kernel reads them, one after the other.

    A node is one number, from the highest bits down: the key of its threshold, 32 bits, its feature, 12, and its left
    child, 20. A row's key, 32 bits and 32 zeros, exceeds it exactly where the row's value exceeds the threshold. A key
    from `LEAF` on is that of a leaf, whose path length stands in `lengths` at the difference.
    """

    nodes: NDArray[np.uint64]
    lengths: NDArray[np.float64]
    roots: NDArray[np.uint64]
    depth: int

    @classmethod
    def build(cls, trees: Trees, lengths: NDArray[np.float64]) -> Self:
        """Pack `trees`; `lengths` holds the path length of every leaf.

        Raises
        ------
        ValueError
            The trees have more nodes or columns than a packed node can name.
        """
        if trees.feature.size > MOST_NODES or trees.feature.max() >= MOST_FEATURES:
            raise ValueError(f"at most {MOST_NODES} nodes and {MOST_FEATURES} columns can be packed")
        owner = np.arange(trees.feature.size)
        for level in trees.levels[1:]:
            owner[level] = owner[trees.parents[level]]
        order = np.argsort(owner, kind="stable")
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        left = place[np.where(trees.inner, trees.left, np.arange(order.size))].astype(np.uint64)
        distinct, which = np.unique(lengths, return_inverse=True)
        key = np.where(trees.inner, _keys(trees.threshold), LEAF + which).astype(np.uint64)
        feature = np.maximum(trees.feature, 0).astype(np.uint64)
        nodes = key << np.uint64(KEY_BITS) | feature << np.uint64(FEATURE_SHIFT) | left
        roots = place[: trees.count].astype(np.uint64)
        return cls(nodes[order], distinct, roots, len(trees.levels) - 1)

    def path_lengths(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of the path lengths over all trees, (n,)."""
        totals = np.zeros(len(values))
        bits = np.ascontiguousarray(values).view(np.int32)
        _kernel()(self.nodes, self.lengths, self.roots, self.depth, bits, totals)
        return totals


def _keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return integers that sort as the values do."""
    bits = (values + np.float32(0)).view(np.int32)  # adding zero makes -0.0 equal to 0.0
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).view(np.uint32) ^ np.uint32(2**31)
