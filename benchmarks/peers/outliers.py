"""Outlier detectors on raw counts and magnitudes: scikit-learn's isolation forest, and PyOD's detectors.

Items (names, addresses, commands) become the number of different ones in the window. scikit-learn's forest sees the raw
numbers. PyOD's see `log1p` of them, standardised: its detectors that rest on distances are lost without.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.inne import INNE
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler

from benchmarks.captures.rivals import raw_counts
from features.protocols import specs
from features.windows import Windows

Matrix = NDArray[np.float64]
# Detectors that keep every row they learn from are given this many at most, drawn evenly.
MOST_ROWS = 8_000
PYOD: dict[str, tuple[Callable[[], Any], int]] = {
    "PyOD IForest": (lambda: IForest(random_state=0), 10**9),
    "PyOD ECOD": (ECOD, MOST_ROWS),
    "PyOD COPOD": (COPOD, MOST_ROWS),
    "PyOD KNN": (KNN, MOST_ROWS),
    "PyOD LOF": (LOF, MOST_ROWS),
    "PyOD INNE": (lambda: INNE(random_state=0), MOST_ROWS),
}


def matrix(windows: Windows) -> Matrix:
    """Give one row per window and one column per feature, shape (windows, features); what was not seen is 0."""
    return raw_counts(windows).select(list(specs())).to_numpy().astype(np.float64)


def isolation_forest(learnt: Windows, watched: Windows) -> Matrix:
    """Score raw values with scikit-learn's defaults."""
    forest = IsolationForest(random_state=0).fit(matrix(learnt))
    return np.asarray(-forest.score_samples(matrix(watched)), dtype=np.float64)


def pyod(learnt: Windows, watched: Windows) -> Iterator[tuple[str, Matrix]]:
    """Score with each of PyOD's detectors, at their defaults."""
    before, after = np.log1p(matrix(learnt)), np.log1p(matrix(watched))
    scale = StandardScaler().fit(before)
    before, after = scale.transform(before), scale.transform(after)
    # Columns that never vary while learning say nothing, and some detectors divide by their spread.
    varying = before.std(axis=0) > 0
    before, after = before[:, varying], after[:, varying]
    for name, (make, most) in PYOD.items():
        rows = np.linspace(0, len(before) - 1, min(len(before), most)).astype(int)
        yield name, np.asarray(make().fit(before[rows]).decision_function(after), dtype=np.float64)
