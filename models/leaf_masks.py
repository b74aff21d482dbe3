"""Find the leaves of many rows in many trees at once, without branching.

The idea is QuickScorer's (Lucchese et al., SIGIR 2015): every test that a row fails rules out the leaves to the left of
it, so its leaf is the lowest bit that survives the conjunction of a few masks. Here the masks of all the tests on one
feature are combined beforehand for every interval between thresholds, for a group of trees side by side, so that a row
costs one contiguous copy and one `&` per feature.

A mask has 64 bits. Where a tree has more leaves, its heaviest part (by training samples) is masked, down to 64 exits,
and the few rows that leave through an inner node walk on from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Self

import numpy as np
from numpy.typing import NDArray

BITS = 64
ALL = 2**BITS - 1
GROUP = 200  # trees; the combined masks grow with the square of it


@dataclass(frozen=True, eq=False)
class Trees:
    """Binary trees side by side in flat arrays.

    A node's children are absolute indices and come after it; a leaf has feature -1. `samples` counts the training rows
    of each node.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    samples: NDArray[np.int32]
    roots: NDArray[np.int32]

    def descend(self, values: NDArray[np.float32], rows: NDArray[np.intp], nodes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Walk on from each of `nodes` to a leaf, guided by the row of `values` beside it; return the leaves."""
        leaves = nodes.copy()
        live = np.flatnonzero(self.feature[nodes] >= 0)
        while live.size:
            here = leaves[live]
            goes_left = values[rows[live], self.feature[here]] <= self.threshold[here]
            here = np.where(goes_left, self.left[here], self.right[here]).astype(np.intp)
            leaves[live] = here
            live = live[self.feature[here] >= 0]
        return leaves


@dataclass(frozen=True, eq=False)
class LeafMasks:
    """Combined masks of a group of neighbouring trees.

    Row `i + f` of `table` belongs to the interval of feature f below `keys[i]`; it has one mask per tree. `exits` holds
    the nodes of each tree's masked part in the order of the bits, `BITS` per tree.
    """

    trees: Trees
    keys: NDArray[np.uint64]
    table: NDArray[np.uint64]
    exits: NDArray[np.intp]
    exit_lengths: NDArray[np.float64]
    lengths: NDArray[np.float64]

    @classmethod
    def build(cls, trees: Trees, lengths: NDArray[np.float64], n_features: int) -> list[Self]:
        """Combine the masks of `trees`, one item per group; `lengths` holds the path length of every leaf."""
        return [cls._combine(trees, lengths, n_features, list(roots)) for roots in _groups(trees.roots.tolist())]

    @classmethod
    def _combine(cls, trees: Trees, lengths: NDArray[np.float64], n_features: int, roots: list[int]) -> Self:
        exits = np.zeros((len(roots), BITS), np.intp)
        tested, owners, kept = [], [], []
        for tree, root in enumerate(roots):
            for node, mask in _masks(trees, root, exits[tree]):
                tested.append(node)
                owners.append(tree)
                kept.append(mask)
        nodes = np.array(tested, np.intp)
        keys = _keys(trees.threshold[nodes], trees.feature[nodes])
        cuts, place = np.unique(keys, return_inverse=True)
        # a row that fails the test of cut i lies in a later interval of the same feature: masks accumulate downwards
        table = np.full((len(cuts) + n_features, len(roots)), ALL, np.uint64)
        first = place + trees.feature[nodes] + 1
        np.bitwise_and.at(table, (first, np.array(owners, np.intp)), np.array(kept, np.uint64))
        bounds = np.searchsorted(cuts, np.arange(n_features + 1, dtype=np.uint64) << np.uint64(32)) + np.arange(
            n_features + 1
        )
        for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
            np.bitwise_and.accumulate(table[start:stop], axis=0, out=table[start:stop])
        exit_lengths = np.where(trees.feature[exits] < 0, lengths[exits], -1.0)
        return cls(trees, cuts, table, exits.ravel(), exit_lengths.ravel(), lengths)

    def path_lengths(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of the path lengths over the trees of this group, (n,)."""
        slots = self._slots(values)
        found = self.exit_lengths.take(slots)
        early = np.flatnonzero(found < 0)
        if early.size:
            leaves = self._walk_on(values, slots, early)
            found.ravel()[early] = self.lengths[leaves]
        return found.sum(axis=1)

    def leaves(self, values: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the leaf of every row in every tree of this group, (n, trees)."""
        slots = self._slots(values)
        found = self.exits.take(slots)
        early = np.flatnonzero(self.trees.feature[found] >= 0)
        found.ravel()[early] = self._walk_on(values, slots, early)
        return found

    def _walk_on(
        self, values: NDArray[np.float32], slots: NDArray[np.intp], early: NDArray[np.intp]
    ) -> NDArray[np.intp]:
        return self.trees.descend(values, early // slots.shape[1], self.exits[slots.ravel()[early]])

    def _slots(self, values: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the index into `exits` of every row in every tree, (n, trees)."""
        n_features = values.shape[1]
        by_feature = np.ascontiguousarray(values.T)
        features = np.arange(n_features, dtype=np.int64)[:, None]
        rows = np.searchsorted(self.keys, _keys(by_feature, features)) + features
        alive = self.table.take(rows[0], axis=0)
        masks = np.empty_like(alive)
        for row in rows[1:]:
            self.table.take(row, axis=0, out=masks, mode="clip")
            np.bitwise_and(alive, masks, out=alive)
        # the index of the lowest bit is the number of bits below it
        np.subtract(alive, np.uint64(1), out=masks)
        np.invert(alive, out=alive)
        np.bitwise_and(alive, masks, out=alive)
        slots: NDArray[np.intp] = np.arange(0, self.exits.size, BITS) + np.bitwise_count(alive)
        return slots


def _groups(roots: list[int]) -> Iterator[list[int]]:
    for i in range(0, len(roots), GROUP):
        yield roots[i : i + GROUP]


def _keys(values: NDArray[np.float32], features: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return integers that sort by feature, then by value."""
    bits = (values + np.float32(0.0)).view(np.uint32)  # adding zero makes -0.0 equal to 0.0
    negative = (bits >> np.uint32(31)).astype(bool)
    ordered = np.where(negative, ~bits, bits | np.uint32(2**31))
    return (features.astype(np.uint64) << np.uint64(32)) | ordered.astype(np.uint64)


def _masks(trees: Trees, root: int, exits: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
    """Yield every test of a tree's heaviest part with the mask of the exits kept by rows that fail; fill in `exits`."""
    inner = _heaviest(trees, root)
    count = 0
    started: dict[int, int] = {}
    stack = [(root, False)]
    while stack:
        node, left_is_done = stack.pop()
        if node not in inner:
            exits[count] = node
            count += 1
        elif left_is_done:
            yield node, ALL ^ ((1 << count) - (1 << started[node]))
            stack.append((int(trees.right[node]), False))
        else:
            started[node] = count
            stack += [(node, True), (int(trees.left[node]), False)]


def _heaviest(trees: Trees, root: int) -> set[int]:
    """Return inner nodes from the root down, those with most training samples first, as many as leave `BITS` exits."""
    inner: set[int] = set()
    heap = [(0, root)]
    while heap and len(inner) < BITS - 1:
        _, node = heappop(heap)
        if trees.feature[node] >= 0:
            inner.add(node)
            for child in (int(trees.left[node]), int(trees.right[node])):
                heappush(heap, (-int(trees.samples[child]), child))
    return inner
