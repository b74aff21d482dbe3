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
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.trees import Trees

BITS = 64
ALL = 2**BITS - 1
GROUP = 200  # trees; the combined masks grow with its square
CHUNK = 128  # rows whose masks fit into a core's cache
EARLY = -1.0
FEW = 8  # rows whose masks fit into the cache all at once


@dataclass(frozen=True, eq=False)
class LeafMasks:
    """Combined masks of a group of neighbouring trees.

    Row `i + f` of `table` belongs to the interval of feature f below `keys[i]`; it has one mask per tree. `exits` holds
    the nodes of each tree's masked part in the order of the bits, `BITS` per tree, `exit_lengths` their path lengths,
    `EARLY` for an inner node.
    """

    trees: Trees
    lengths: NDArray[np.float64]
    keys: NDArray[np.uint64]
    table: NDArray[np.uint64]
    exits: NDArray[np.intp]
    exit_lengths: NDArray[np.float64]

    @classmethod
    def build(cls, trees: Trees, lengths: NDArray[np.float64], n_features: int) -> list[Self]:
        """Combine the masks of `trees`, one item per group; `lengths` holds the path length of every leaf."""
        groups = (range(start, min(start + GROUP, trees.count)) for start in range(0, trees.count, GROUP))
        return [cls._combine(trees, lengths, n_features, roots) for roots in groups]

    @classmethod
    def _combine(cls, trees: Trees, lengths: NDArray[np.float64], n_features: int, roots: range) -> Self:
        exits, nodes, owners, kept = _masks(trees, roots)
        keys, place = np.unique(_keys(trees.threshold[nodes], trees.feature[nodes]), return_inverse=True)
        table = np.full((keys.size + n_features, len(roots)), ALL, np.uint64)
        # who fails a test lies in a later interval of its feature: put the mask after the threshold, then accumulate
        np.bitwise_and.at(table, (place + trees.feature[nodes] + 1, owners), kept)
        features = np.arange(n_features + 1)
        bounds = np.searchsorted(keys, features.astype(np.uint64) << np.uint64(32)) + features
        for start, stop in pairwise(bounds.tolist()):
            np.bitwise_and.accumulate(table[start:stop], axis=0, out=table[start:stop])
        exit_lengths = np.where(trees.inner[exits], EARLY, lengths[exits])
        return cls(trees, lengths, keys, table, exits, exit_lengths)

    def path_lengths(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of the path lengths over the trees of this group, (n,)."""
        totals = np.empty(len(values))
        rows, nodes = [], []
        for start, slots in self._slots(values):
            lengths = self.exit_lengths.take(slots)
            totals[start : start + CHUNK] = lengths.sum(axis=1)
            early = np.flatnonzero(lengths < 0)
            rows.append(early // slots.shape[1] + start)
            nodes.append(self.exits.take(slots.take(early)))
        walkers = np.concatenate(rows)
        leaves = self.trees.leaves(values, walkers, np.concatenate(nodes))
        totals += np.bincount(walkers, self.lengths.take(leaves) - EARLY, totals.size)
        return totals

    def leaves(self, values: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the leaf of every row in every tree of this group, (n, trees)."""
        found = np.concatenate([self.exits.take(slots) for _, slots in self._slots(values)])
        early = np.flatnonzero(self.trees.inner.take(found))
        found.ravel()[early] = self.trees.leaves(values, early // found.shape[1], found.take(early))
        return found

    def _slots(self, values: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Yield, for each chunk of rows, its start and the index into `exits` of every row in every tree."""
        features = np.arange(values.shape[1])[:, None]
        rows = np.searchsorted(self.keys, _keys(np.ascontiguousarray(values.T), features)) + features
        before = np.arange(-1, self.exits.size - 1, BITS)
        for start in range(0, len(values), CHUNK):
            alive = self._alive(rows[:, start : start + CHUNK])
            # the bits up to the lowest are those that change when one is subtracted
            yield start, before + np.bitwise_count(alive ^ (alive - np.uint64(1)))

    def _alive(self, rows: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Return the exits that survive all tests, (n, trees), given rows of the table (features, n)."""
        if rows.shape[1] <= FEW:
            few: NDArray[np.uint64] = np.bitwise_and.reduce(self.table.take(rows, axis=0), axis=0)
            return few
        alive: NDArray[np.uint64] = self.table.take(rows[0], axis=0)
        masks = np.empty_like(alive)
        for row in rows[1:]:
            self.table.take(row, axis=0, out=masks, mode="clip")  # any other mode would copy through a buffer
            np.bitwise_and(alive, masks, out=alive)
        return alive


def _keys(values: NDArray[np.float32], features: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Return integers that sort by feature, then by value."""
    bits = (values + np.float32(0)).view(np.int32)  # adding zero makes -0.0 equal to 0.0
    ordered = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64) + 2**31
    return ((features.astype(np.int64) << 32) + ordered).view(np.uint64)


def _masks(
    trees: Trees, roots: range
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.uint64]]:
    """Return the exits of each tree, and every test with its tree and the mask of the exits that failing it keeps."""
    exits = np.zeros((len(roots), BITS), np.intp)
    inner, left, worth = trees.inner.tolist(), trees.left.tolist(), _worth(trees).tolist()
    tests: list[tuple[int, int, int]] = []
    for tree, root in enumerate(roots):
        order = list(_in_order(_heaviest(root, inner, left, worth), root, left))
        passed = 0
        for node, started in order:
            if started is None:
                exits[tree, passed] = node
                passed += 1
            else:
                tests.append((node, tree, ALL ^ ((1 << passed) - (1 << started))))
    nodes, owners, kept = zip(*tests, strict=True) if tests else ((), (), ())
    return exits.ravel(), np.array(nodes, np.intp), np.array(owners, np.intp), np.array(kept, np.uint64)


def _worth(trees: Trees) -> NDArray[np.float64]:
    """Return, for each node, the training samples of a leaf below it per split on the way there, for the best leaf."""
    samples, splits = trees.samples.astype(np.float64), np.zeros(trees.samples.size)
    for level in trees.levels[:0:-1]:
        kept = np.arange(level.start, level.stop, 2)
        kept += samples[kept + 1] / (splits[kept + 1] + 1) > samples[kept] / (splits[kept] + 1)
        parents = trees.parents[kept]
        samples[parents], splits[parents] = samples[kept], splits[kept] + 1
    return samples / np.maximum(splits, 1)


def _heaviest(root: int, inner: list[bool], left: list[int], worth: list[float]) -> set[int]:
    """Return inner nodes from the root down, the most worthwhile first, as many as leave `BITS` exits."""
    chosen: set[int] = set()
    heap = [(0.0, root)]
    while heap and len(chosen) < BITS - 1:
        _, node = heappop(heap)
        if inner[node]:
            chosen.add(node)
            for child in (left[node], left[node] + 1):
                heappush(heap, (-worth[child], child))
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
