"""Speed of the flat forest, with numpy alone and with numba, against the scikit-learn forest that it was compiled from.

CPU time of one process, the three in turn, median over rounds; small batches are repeated within a round, after one
call to warm up. The forest is trained as `models.forest.fit_forest` trains. Evidence is simulated: twelve groups, each
silent in 10 to 85 % of the windows and exponential otherwise; the forest sees the two strongest. What was tried to make
it faster, with figures: docs/adr/0009-serving-form.md.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from models.compiled_forest import prepare
from models.forest import compile_forest, exaggerate

GROUPS = 12
BARS = {
    "numpy": {1: 200, 32: 30, 1_000: 2, 100_000: 2},
    "numba": {1: 1_000, 32: 200, 1_000: 10, 100_000: 3.5},
}
REPEATS = {1: 20, 32: 10, 1_000: 3, 100_000: 1}


def evidence(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    heard = rng.random((n, GROUPS)) < np.linspace(0.15, 0.9, GROUPS)
    said = rng.exponential(1 / np.log(2), (n, GROUPS)) * heard
    return np.ascontiguousarray(np.partition(said, (-2, -1), axis=1)[:, :-3:-1])


def cpu_seconds(score: Callable[[NDArray[np.float64]], object], rows: NDArray[np.float64]) -> float:
    repeats = REPEATS[len(rows)]
    score(rows[:1_000])  # the other one has just had the caches
    start = time.process_time_ns()
    for _ in range(repeats):
        score(rows)
    return (time.process_time_ns() - start) / 1e9 / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--max-samples", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    learnt = evidence(50_000, rng)
    learnt = np.concatenate([learnt, exaggerate(learnt, 5_000, rng)])
    peer = IsolationForest(n_estimators=options.trees, max_samples=options.max_samples, random_state=0)
    peer.fit(learnt.astype(np.float32))
    forest = compile_forest(peer)
    print(f"{options.trees} trees x {options.max_samples} rows, {forest.trees.feature.size} nodes, ", end="")
    print(f"{learnt.shape[1]} columns")
    ways = [by for by in BARS if by == "numpy" or load_numba()]
    for by in ways:
        start = time.process_time()
        forest.score(learnt[:2], by=by)
        print(f"{by}: laid out in {time.process_time() - start:.3f} s")
    print(f"{'rows':>8} {'by':>6} {'IsolationForest us':>19} {'flat us':>9} {'ratio':>7} {'bar':>6} {'difference':>11}")
    for n in REPEATS:
        rows = evidence(n, rng)
        expected = -peer.score_samples(rows)
        scorers = [peer.score_samples, *(partial(forest.score, by=by) for by in ways)]
        times = [[cpu_seconds(score, rows) for score in scorers] for _ in range(options.rounds)]
        theirs, *ours = (statistics.median(column) * 1e6 for column in zip(*times, strict=True))
        for by, spent in zip(ways, ours, strict=True):
            difference = np.abs(forest.score(rows, by=by) - expected).max()
            figures = f"{theirs:>19.0f} {spent:>9.0f} {theirs / spent:>7.1f} {BARS[by][n]:>6} {difference:>11.1e}"
            print(f"{n:>8} {by:>6} {figures}{'' if theirs >= spent * BARS[by][n] else '  below the bar'}")


def load_numba() -> bool:
    wall, spent = time.perf_counter(), time.process_time()
    loaded = prepare()
    wall, spent = time.perf_counter() - wall, time.process_time() - spent
    print(f"numba: loaded in {wall:.1f} s ({spent:.1f} s CPU)" if loaded else "numba is not installed")
    return loaded


if __name__ == "__main__":
    main()
