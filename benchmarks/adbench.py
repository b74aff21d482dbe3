"""The forest alone, on tables of other fields: the classical sets of ADBench (Han et al., NeurIPS 2022).

Novelty protocol: a forest learns 60 % of the normal rows and is asked about the others and all anomalies, of at most
5,000 rows of a set; then again with 1 % of anomalies left among the rows that it learns. Columns are `arcsinh` of
robust z-scores, because a split is drawn evenly between the least and the largest value of a node, and a long tail
spends most splits on nothing. The peer is scikit-learn's `IsolationForest` with its defaults, on raw columns.

The settings of evidence are not all good for tables: exaggerated rows suppose that zero is ordinary and more is
stranger, which holds for bits alone. So tables are fitted with none; the loss is in the table, as is that of oblique
columns.

How the defaults compare with the published IForest column (Livernoche et al., ICLR 2024, table 2) is shown first: all
rows learnt and all judged, five seeds, as there.

Run `python benchmarks/adbench.py [--seeds 1 2 3 4 5]`, ten minutes. Without the sets beside the project, or where
`--sets` says, it says so and ends.
"""

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.captures.place import DATA
from models.forest import compile_forest, fit_forest

PUBLISHED = "dte_table2_unsup_aucroc.csv"
MOST_ROWS = 5_000
MOST_PUBLISHED = 50_000
LEARNT = 0.6
CLEAN, DIRTY = 0.0, 0.01
LEAST_AP = {CLEAN: 0.635, DIRTY: 0.61}
NOTICEABLE = 0.002  # of average precision
SLOPED = 2  # oblique columns for each column

Rows = NDArray[np.float64]
Method = Callable[[Rows, Rows, int], Rows]


def default(learnt: Rows, asked: Rows, seed: int) -> Rows:
    return np.asarray(-IsolationForest(random_state=seed).fit(learnt).score_samples(asked))


def ours(*, trees: int = 200, rows: int = 4096, exaggerated: float = 0.0) -> Method:
    """Fit and score with the product's forest."""

    def method(learnt: Rows, asked: Rows, seed: int) -> Rows:
        return fit_forest(learnt, seed=seed, n_trees=trees, max_samples=rows, exaggerated=exaggerated).score(asked)

    return method


def scaled(method: Method) -> Method:
    """Take `arcsinh` of robust z-scores first."""

    def wrapped(learnt: Rows, asked: Rows, seed: int) -> Rows:
        middle = np.median(learnt, axis=0)
        spread = 1.4826 * np.median(np.abs(learnt - middle), axis=0)
        spread = np.where(spread > 0, spread, learnt.std(axis=0))
        spread = np.where(spread > 0, spread, 1.0)
        return method(np.arcsinh((learnt - middle) / spread), np.arcsinh((asked - middle) / spread), seed)

    return wrapped


def sloped(method: Method) -> Method:
    """Add columns that are random combinations of two, so that splits may be oblique."""

    def wrapped(learnt: Rows, asked: Rows, seed: int) -> Rows:
        random, columns = np.random.default_rng(seed), learnt.shape[1]
        mixed = np.zeros((columns, min(SLOPED * columns, 200)))
        for column in mixed.T:
            column[random.choice(columns, min(2, columns), replace=False)] = random.normal(size=min(2, columns))
        return method(np.hstack([learnt, learnt @ mixed]), np.hstack([asked, asked @ mixed]), seed)

    return wrapped


METHODS: dict[str, Method] = {
    "peer: scikit-learn's defaults, raw": default,
    "256 rows a tree, raw": ours(rows=256),
    "1,024 rows a tree, raw": ours(rows=1024),
    "4,096 rows a tree, raw": ours(),
    "256 rows a tree, arcsinh": scaled(ours(rows=256)),
    "1,024 rows a tree, arcsinh": scaled(ours(rows=1024)),
    "4,096 rows a tree, arcsinh (chosen)": scaled(ours()),
    "chosen, 100 trees": scaled(ours(trees=100)),
    "chosen, 10 % exaggerated, as for evidence": scaled(ours(exaggerated=0.1)),
    "chosen, and oblique columns": scaled(sloped(ours())),
}


def tables(sets: Path) -> Iterator[tuple[str, Rows, NDArray[np.int64]]]:
    """Read name, rows and labels of each set, in the order of their numbers."""
    for path in sorted(sets.glob("*.npz"), key=lambda path: int(path.stem.split("_")[0])):
        with np.load(path, allow_pickle=False) as stored:
            yield path.stem.split("_", 1)[1], stored["X"].astype(np.float64), stored["y"].astype(np.int64)


def novelty(rows: Rows, y: NDArray[np.int64], seed: int, dirty: float) -> tuple[Rows, Rows, NDArray[np.int64]]:
    """Part a set into what is learnt, what is asked, and the labels of the latter."""
    random = np.random.default_rng(seed)
    kept = random.permutation(len(rows))[:MOST_ROWS]
    normal, strange = kept[y[kept] == 0], kept[y[kept] == 1]
    cut = int(LEARNT * len(normal))
    left = min(round(dirty * cut), len(strange) // 2)
    asked = np.concatenate([normal[cut:], strange[left:]])
    return rows[np.concatenate([normal[:cut], strange[:left]])], rows[asked], y[asked]


def measure(sets: Path, seeds: list[int], dirty: float) -> dict[str, NDArray[np.float64]]:
    """Give AUROC and average precision by method, shape (sets, seeds, 2); seeds that keep no anomaly are NaN."""
    found: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in METHODS}
    for _, rows, y in tables(sets):
        parts = [(seed, *novelty(rows, y, seed, dirty)) for seed in seeds]
        for name, method in METHODS.items():
            found[name].append([quality(method(learnt, asked, seed), labels) for seed, learnt, asked, labels in parts])
    return {name: np.array(values) for name, values in found.items()}


def quality(scores: Rows, y: NDArray[np.int64]) -> tuple[float, float]:
    if not y.any():
        return float("nan"), float("nan")
    return float(roc_auc_score(y, scores)), float(average_precision_score(y, scores))


def published(sets: Path, seeds: list[int]) -> Table:
    """Set the defaults beside the published column: mean AUROC in points, all rows learnt and judged."""
    with (sets / PUBLISHED).open(newline="", encoding="utf-8") as file:
        told = {
            row["dataset"]: float(row["IForest"].partition("(")[0]) for row in csv.DictReader(file)
        }  # mean(deviation)
    ours_, theirs = [], []
    for name, rows, y in tables(sets):
        if name.lower() in told:
            kept = np.random.default_rng(0).permutation(len(rows))[:MOST_PUBLISHED]
            ours_.append(np.mean([roc_auc_score(y[kept], default(rows[kept], rows[kept], s)) for s in seeds]) * 100)
            theirs.append(told[name.lower()])
    apart = np.abs(np.array(ours_) - theirs)
    table = Table(title="scikit-learn's defaults beside the published IForest column, AUROC in points")
    for column in ("sets", "ours", "published", "mean distance", "largest", "correlation"):
        table.add_column(column, justify="right")
    correlation = float(np.corrcoef(ours_, theirs)[0, 1])
    figures = (np.mean(ours_), np.mean(theirs), apart.mean(), apart.max())
    table.add_row(f"{len(apart)}", *(f"{figure:.2f}" for figure in figures), f"{correlation:.3f}")
    return table


def shown(found: dict[str, NDArray[np.float64]], dirty: float) -> Table:
    """Tell means over sets, the spread of the mean over seeds, and on how many sets a method beats the peer."""
    per_set = {name: np.nanmean(values, axis=1) for name, values in found.items()}
    peer = next(iter(per_set.values()))[:, 1]
    table = Table(title=f"{len(peer)} sets, {dirty:.0%} anomalies learnt; bar: average precision {LEAST_AP[dirty]}")
    table.add_column("forest")
    for column in ("AUROC", "average precision", "least and largest seed", "sets better, worse"):
        table.add_column(column, justify="right")
    for name, values in found.items():
        seeds = np.nanmean(values[:, :, 1], axis=0)
        gain = per_set[name][:, 1] - peer
        auroc, precision = per_set[name].mean(axis=0)
        better, worse = np.sum(gain > NOTICEABLE), np.sum(gain < -NOTICEABLE)
        spread = f"{seeds.min():.3f} {seeds.max():.3f}"
        table.add_row(name, f"{auroc:.3f}", f"{precision:.3f}", spread, f"{better}, {worse}")
    return table


def farthest(sets: Path) -> float:
    """Give the largest distance between scikit-learn's scores and those of the compiled forest, over all sets."""
    distances = []
    for _, rows, _ in tables(sets):
        kept = rows[:MOST_ROWS].astype(np.float32)
        forest = IsolationForest(random_state=0).fit(kept)
        distances.append(np.abs(compile_forest(forest).score(kept) + forest.score_samples(kept)).max())
    return float(max(distances))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--sets", type=Path, default=DATA / "adbench", help="folder of ADBench's classical sets")
    given = parser.parse_args()
    console = Console(width=120)
    if not given.sets.is_dir():
        console.print(f"ADBench's sets are not at {given.sets}: nothing to measure")
        return
    console.print(published(given.sets, given.seeds))
    console.print(f"the compiled forest's scores are within {farthest(given.sets):.1e} of scikit-learn's")
    for dirty in (CLEAN, DIRTY):
        console.print(shown(measure(given.sets, given.seeds, dirty), dirty))


if __name__ == "__main__":
    main()
