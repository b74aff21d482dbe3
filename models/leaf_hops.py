"""Find the leaves of one row in all trees, three levels at a time.

For a single row the number of calls is what costs. A hop makes the tests of a node and of the two levels below it at
once and looks up which of eight nodes follows.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.trees import Trees

LEVELS = 3
WIDTH = 8  # seven tests, and one that never fails to fill a byte


@dataclass(frozen=True, eq=False)
class LeafHops:
    """Tests of each node and of the two levels below it in heap order, and the nodes after them."""

    trees: Trees
    features: NDArray[np.intp]
    thresholds: NDArray[np.float32]
    exits: NDArray[np.intp]

    @classmethod
    def build(cls, trees: Trees) -> Self:
        """Lay out the hops from every node of `trees`; a leaf leads back to itself, for nothing exceeds infinity."""
        itself = np.arange(trees.feature.size)
        left, right = np.where(trees.inner, trees.left, itself), np.where(trees.inner, trees.left + 1, itself)
        pair = [left, right]
        four = [child[node] for node in pair for child in (left, right)]
        eight = [child[node] for node in four for child in (left, right)]
        tests = np.stack([itself, *pair, *four], axis=1)
        features = np.zeros((itself.size, WIDTH), np.intp)
        thresholds = np.full((itself.size, WIDTH), np.inf, np.float32)
        features[:, :-1] = np.maximum(trees.feature, 0)[tests]
        thresholds[:, :-1] = np.where(trees.inner, trees.threshold, np.float32(np.inf))[tests]
        return cls(trees, features, thresholds, np.stack(eight, axis=1).ravel())

    def leaves(self, row: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return the leaf of a row in every tree."""
        nodes = np.arange(self.trees.count)
        for _ in range(0, len(self.trees.levels) - 1, LEVELS):
            failed = row.take(self.features.take(nodes, axis=0)) > self.thresholds.take(nodes, axis=0)
            nodes = self.exits.take(nodes * WIDTH + EXIT.take(np.packbits(failed)))
        return nodes


def _exit_of_tests() -> NDArray[np.intp]:
    """Return which of eight nodes follows each outcome of the tests in heap order, the first in the highest bit."""
    outcomes = np.arange(256)
    failed = np.unpackbits(outcomes.astype(np.uint8)[:, None], axis=1)
    place = np.zeros(256, np.intp)
    for _ in range(LEVELS):
        place = 2 * place + 1 + failed[outcomes, place]
    return place - (WIDTH - 1)


EXIT = _exit_of_tests()
