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
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.trees import Trees

BITS = 64
ALL = 2**BITS - 1
GROUP = 100  # trees; smaller tables stay in the cache, larger groups take fewer calls
CHUNK = 256  # rows
FEW = 32  # rows whose masks for all features fit into the cache
EARLY = -1.0


class _Shape(NamedTuple):
    """Trees as lists, which plain Python reads faster than arrays."""

    inner: list[bool]
    left: list[int]
    worth: list[float]


class _Part(NamedTuple):
    """Exits of neighbouring trees, and every test with its tree and the mask of the exits that failing it keeps."""

    exits: NDArray[np.intp]
    nodes: NDArray[np.intp]
    owners: NDArray[np.intp]
    kept: NDArray[np.uint64]

    def keys(self, trees: Trees) -> NDArray[np.uint64]:
        return _keys(trees.threshold[self.nodes], trees.feature[self.nodes])


@dataclass(frozen=True, eq=False)
class _Group:
    """Combined masks of neighbouring trees.

    `table` has a row per interval between the group's thresholds and a mask per tree; `rows` leads from the forest's
    intervals to it. `exits` holds the nodes of each tree's masked part in the order of the bits, `BITS` per tree,
    `lengths` their path lengths, `EARLY` for an inner node.
    """

    table: NDArray[np.uint64]
    rows: NDArray[np.intp]
    exits: NDArray[np.intp]
    lengths: NDArray[np.float64]

    def slots(self, intervals: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the index into `exits` of each row in each tree, (n, trees), given its intervals (features, n)."""
        alive = self._alive(self.rows.take(intervals))
        # the bits up to the lowest are those that change when one is subtracted
        upto = np.bitwise_count(alive ^ (alive - np.uint64(1)))
        return np.arange(-1, self.exits.size - 1, BITS) + upto

    def _alive(self, rows: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Return the exits that survive all tests, (n, trees)."""
        if rows.shape[1] <= FEW:
            few: NDArray[np.uint64] = np.bitwise_and.reduce(self.table.take(rows, axis=0), axis=0)
            return few
        alive: NDArray[np.uint64] = self.table.take(rows[0], axis=0)
        masks = np.empty_like(alive)
        for row in rows[1:]:
            self.table.take(row, axis=0, out=masks, mode="clip")  # any other mode would copy through a buffer
            np.bitwise_and(alive, masks, out=alive)
        return alive


@dataclass(frozen=True, eq=False)
class LeafMasks:
    """Combined masks of a forest; interval `i + f` is that of feature f below `keys[i]`."""

    trees: Trees
    lengths: NDArray[np.float64]
    keys: NDArray[np.uint64]
    groups: list[_Group]

    @classmethod
    def build(cls, trees: Trees, lengths: NDArray[np.float64], n_features: int) -> Self:
        """Combine the masks of `trees`; `lengths` holds the path length of every leaf."""
        roots = [range(start, min(start + GROUP, trees.count)) for start in range(0, trees.count, GROUP)]
        shape = _Shape(trees.inner.tolist(), trees.left.tolist(), _worth(trees).tolist())
        parts = [_masks(shape, part) for part in roots]
        keys = np.unique(np.concatenate([part.keys(trees) for part in parts]))
        ends = np.arange(1, n_features + 1, dtype=np.uint64) << np.uint64(32)
        intervals = np.insert(keys, np.searchsorted(keys, ends), ends)
        return cls(trees, lengths, keys, [_combine(trees, lengths, intervals, n_features, part) for part in parts])

    def path_lengths(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of the path lengths over all trees, (n,)."""
        totals = np.zeros(len(values))
        rows, nodes = [], []
        for _, group, start, slots in self._slots(values):
            lengths = group.lengths.take(slots)
            totals[start : start + CHUNK] += lengths.sum(axis=1)
            early = np.flatnonzero(lengths < 0)
            rows.append(early // slots.shape[1] + start)
            nodes.append(group.exits.take(slots.take(early)))
        if rows:
            walkers = np.concatenate(rows)
            leaves = self.trees.leaves(values, walkers, np.concatenate(nodes))
            totals += np.bincount(walkers, self.lengths.take(leaves) - EARLY, totals.size)
        return totals

    def leaves(self, values: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the leaf of every row in every tree, (n, trees)."""
        found = np.empty((len(values), self.trees.count), np.intp)
        for tree, group, start, slots in self._slots(values):
            found[start : start + CHUNK, tree : tree + GROUP] = group.exits.take(slots)
        early = np.flatnonzero(self.trees.inner.take(found))
        found.ravel()[early] = self.trees.leaves(values, early // found.shape[1], found.take(early))
        return found

    def _slots(self, values: NDArray[np.float32]) -> Iterator[tuple[int, _Group, int, NDArray[np.intp]]]:
        """Yield the first tree of each group, the group, the first row of each chunk, and its exits as indices."""
        features = np.arange(values.shape[1])[:, None]
        intervals = np.searchsorted(self.keys, _keys(np.ascontiguousarray(values.T), features)) + features
        for tree, group in enumerate(self.groups):
            for start in range(0, len(values), CHUNK):
                yield tree * GROUP, group, start, group.slots(intervals[:, start : start + CHUNK])


def _combine(
    trees: Trees,
    lengths: NDArray[np.float64],
    intervals: NDArray[np.uint64],
    n_features: int,
    part: _Part,
) -> _Group:
    keys, place = np.unique(part.keys(trees), return_inverse=True)
    table = np.full((keys.size + n_features, part.exits.size // BITS), ALL, np.uint64)
    # who fails a test lies in a later interval of its feature: put the mask after the threshold, then accumulate
    np.bitwise_and.at(table, (place + trees.feature[part.nodes] + 1, part.owners), part.kept)
    features = np.arange(n_features + 1)
    bounds = np.searchsorted(keys, features.astype(np.uint64) << np.uint64(32)) + features
    for start, stop in pairwise(bounds.tolist()):
        np.bitwise_and.accumulate(table[start:stop], axis=0, out=table[start:stop])
    # the end of a feature's last interval is the first key of the next feature
    feature = ((intervals - np.uint64(1)) >> np.uint64(32)).astype(np.intp)
    rows = np.searchsorted(keys, intervals) + feature
    return _Group(table, rows, part.exits, np.where(trees.inner[part.exits], EARLY, lengths[part.exits]))


def _keys(values: NDArray[np.float32], features: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return integers that sort by feature, then by value."""
    bits = (values + np.float32(0)).view(np.int32)  # adding zero makes -0.0 equal to 0.0
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31
    return ((features.astype(np.int64) << 32) + ordered).view(np.uint64)


def _masks(shape: _Shape, roots: range) -> _Part:
    """Return the masked parts of neighbouring trees."""
    exits = np.zeros((len(roots), BITS), np.intp)
    tests: list[tuple[int, int, int]] = []
    for tree, root in enumerate(roots):
        order = _in_order(_heaviest(root, shape), root, shape.left)
        passed = 0
        for node, started in order:
            if started is None:
                exits[tree, passed] = node
                passed += 1
            else:
                tests.append((node, tree, ALL ^ ((1 << passed) - (1 << started))))
    nodes, owners, kept = zip(*tests, strict=True) if tests else ((), (), ())
    return _Part(exits.ravel(), np.array(nodes, np.intp), np.array(owners, np.intp), np.array(kept, np.uint64))


def _worth(trees: Trees) -> NDArray[np.float64]:
    """Return, for each node, the training samples of a leaf below it per split on the way there, for the best leaf."""
    samples, splits = trees.samples.astype(np.float64), np.zeros(trees.samples.size)
    for level in trees.levels[:0:-1]:
        kept = np.arange(level.start, level.stop, 2)
        kept += samples[kept + 1] / (splits[kept + 1] + 1) > samples[kept] / (splits[kept] + 1)
        parents = trees.parents[kept]
        samples[parents], splits[parents] = samples[kept], splits[kept] + 1
    return samples / np.maximum(splits, 1)


def _heaviest(root: int, shape: _Shape) -> set[int]:
    """Return inner nodes from the root down, the most worthwhile first, as many as leave `BITS` exits."""
    chosen: set[int] = set()
    heap = [(0.0, root)]
    while heap and len(chosen) < BITS - 1:
        _, node = heappop(heap)
        if shape.inner[node]:
            chosen.add(node)
            for child in (shape.left[node], shape.left[node] + 1):
                heappush(heap, (-shape.worth[child], child))
    return chosen


def _in_order(chosen: set[int], root: int, left: list[int]) -> Iterator[tuple[int, int | None]]:
    """Yield each exit with None, and each chosen node, after its left exits, with the number of exits before these."""
    exits = 0
    stack: list[tuple[int, int | None]] = [(root, None)]
    while stack:
        node, started = stack.pop()
        if started is not None:
            yield node, started
            stack.append((left[node] + 1, None))
        elif node in chosen:
            stack += [(node, exits), (left[node], None)]
        else:
            yield node, None
            exits += 1
