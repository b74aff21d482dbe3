"""Speed of the flat forest against the scikit-learn forest that it was compiled from.

CPU time of one process, the two in turn, median over rounds; small batches are repeated within a round, after one
call to warm up. Evidence is simulated: twelve groups, each silent in 10 to 85 % of the windows and exponential
otherwise, and the two aggregates.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from models.forest import compile_forest, exaggerate, with_aggregates

GROUPS = 12
BARS = {1: 200, 32: 30, 1_000: 2, 100_000: 2}
REPEATS = {1: 20, 32: 10, 1_000: 3, 100_000: 1}


def evidence(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    heard = rng.random((n, GROUPS)) < np.linspace(0.15, 0.9, GROUPS)
    return with_aggregates(rng.exponential(1 / np.log(2), (n, GROUPS)) * heard)


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
    learnt = np.concatenate([learnt, exaggerate(learnt[:, :GROUPS], 1_000, rng)])
    peer = IsolationForest(n_estimators=options.trees, max_samples=options.max_samples, random_state=0)
    peer.fit(learnt.astype(np.float32))
    start = time.process_time()
    forest = compile_forest(peer)
    forest.score(learnt[:1])
    print(f"{options.trees} trees x {options.max_samples} rows, {forest.trees.feature.size} nodes, ", end="")
    print(f"{learnt.shape[1]} columns; compiled in {time.process_time() - start:.3f} s")
    print(f"{'rows':>8} {'IsolationForest us':>20} {'flat forest us':>16} {'ratio':>8} {'bar':>5} {'difference':>11}")
    for n, bar in BARS.items():
        rows = evidence(n, rng)
        difference = np.abs(forest.score(rows) + peer.score_samples(rows)).max()
        times = [
            (cpu_seconds(peer.score_samples, rows), cpu_seconds(forest.score, rows)) for _ in range(options.rounds)
        ]
        theirs, ours = (statistics.median(column) for column in zip(*times, strict=True))
        print(f"{n:>8} {theirs * 1e6:>20.0f} {ours * 1e6:>16.0f} {theirs / ours:>8.1f} {bar:>5} {difference:>11.1e}")


if __name__ == "__main__":
    main()
