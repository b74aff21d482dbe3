"""Machine code that walks rows down packed trees; importing it needs numba, and compiles or loads what was compiled.

Eight walks go side by side, so that the processor waits for none of them, and a step has no branch: a leaf leads back
to itself. The compiled code is kept where numba can write, and made again by each process where it cannot.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

LANES = 8
BLOCK_BITS = 6
BLOCK = 2**BLOCK_BITS  # rows; their keys and one tree stay in the innermost cache
NODE_BITS, FEATURE_BITS = 20, 12
KEY = np.uint64(32)
NODE_MASK = np.uint64(2**NODE_BITS - 1)
# the shift leaves the feature times BLOCK, where its column of keys starts
COLUMN = np.uint64(NODE_BITS - BLOCK_BITS)
COLUMN_MASK = np.uint64((2**FEATURE_BITS - 1) << BLOCK_BITS)
LEAF = np.uint64(0xFF800001)
LOW = 2**31 - 1
ZERO = 2**31
SIGNATURE = "void(uint64[::1], float64[::1], uint64[::1], int64, int32[:, ::1], float64[::1])"

Eight = tuple[int, int, int, int, int, int, int, int]


@njit
def _next(nodes: Any, keys: Any, row: int, at: int) -> Any:  # noqa: ANN401 - numba's types
    node = nodes[at]
    return (node & NODE_MASK) + np.uint64(keys[((node >> COLUMN) & COLUMN_MASK) + row] > node)


@njit
def _leaves(nodes: Any, keys: Any, depth: int, rows: Eight, at: Eight) -> Eight:  # noqa: ANN401 - numba's types
    a, b, c, d, e, f, g, h = at
    for _ in range(depth):
        a = _next(nodes, keys, rows[0], a)
        b = _next(nodes, keys, rows[1], b)
        c = _next(nodes, keys, rows[2], c)
        d = _next(nodes, keys, rows[3], d)
        e = _next(nodes, keys, rows[4], e)
        f = _next(nodes, keys, rows[5], f)
        g = _next(nodes, keys, rows[6], g)
        h = _next(nodes, keys, rows[7], h)
    return a, b, c, d, e, f, g, h


@njit
def _write_keys(values: Any, keys: Any) -> None:  # noqa: ANN401 - numba's types
    """Write the bits of float32 `values` (n, d) into flat `keys` as numbers that sort as the values do."""
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            bits = np.int64(values[row, column])
            keys[column * BLOCK + row] = np.uint64((bits ^ ((bits >> 31) & LOW)) + ZERO) << KEY


def _add_path_lengths(nodes: Any, lengths: Any, roots: Any, depth: int, values: Any, totals: Any) -> None:  # noqa: ANN401
    """Add to `totals` (n,) the path length of each row in each tree; `values` (n, d) holds the bits of float32."""
    last, keys = roots.size - 1, np.empty(BLOCK * values.shape[1], np.uint64)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK]
        _write_keys(block, keys)
        sums = totals[start : start + BLOCK]
        whole = len(block) - len(block) % LANES
        for root in roots:
            for row in range(0, whole, LANES):
                r = np.uint64(row)
                some = (r, r + np.uint64(1), r + np.uint64(2), r + np.uint64(3))
                more = (r + np.uint64(4), r + np.uint64(5), r + np.uint64(6), r + np.uint64(7))
                at = (root, root, root, root, root, root, root, root)
                found = _leaves(nodes, keys, depth, some + more, at)
                for lane in range(LANES):
                    sums[row + lane] += lengths[(nodes[found[lane]] >> KEY) - LEAF]
        # too few rows to fill the lanes: trees side by side, the last one once more where they end
        for row in range(whole, len(block)):
            r = np.uint64(row)
            for tree in range(0, roots.size, LANES):
                at = (
                    roots[tree],
                    roots[min(tree + 1, last)],
                    roots[min(tree + 2, last)],
                    roots[min(tree + 3, last)],
                    roots[min(tree + 4, last)],
                    roots[min(tree + 5, last)],
                    roots[min(tree + 6, last)],
                    roots[min(tree + 7, last)],
                )
                found = _leaves(nodes, keys, depth, (r, r, r, r, r, r, r, r), at)
                for lane in range(min(LANES, roots.size - tree)):
                    sums[row] += lengths[(nodes[found[lane]] >> KEY) - LEAF]


def _compiled(function: Callable[..., None]) -> Callable[..., None]:
    try:
        kept: Callable[..., None] = njit(SIGNATURE, cache=True, nogil=True)(function)
    except (OSError, RuntimeError):  # nowhere to keep it
        kept = njit(SIGNATURE, nogil=True)(function)
    return kept


add_path_lengths = _compiled(_add_path_lengths)
