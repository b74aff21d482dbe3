"""What the detector is compared with: beacon scores that need no baseline, and outlier models on raw counts."""

import statistics
import warnings
from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from features.protocols import specs
from features.windows import KEY, Windows

Floats = NDArray[np.float64]
Scorer = Callable[[Floats, Floats], Floats]

FEWEST = 20  # connections from which an edge has a beacon score
HOUR = 3600.0
DAY = 24
BINS = 20  # the width of a bin is a twentieth of the busiest hour
HALF_A_DAY = 12
FEW_HOURS, SOME_HOURS = 6, 11
NARROW = 10.0


def naive_beacon(times: Floats) -> float:
    """Give the mean of Bowley's skewness and of the median deviation of the gaps, each made into a score in [0, 1]."""
    if len(times) < FEWEST:
        return 0.0
    gaps = np.diff(np.sort(times))
    low, middle, high = statistics.quantiles(gaps.tolist(), n=4)
    skew = (low + high - 2 * middle) / (high - low) if high > low else 0.0
    spread = max(0.0, 1 - float(np.median(np.abs(gaps - middle))) / middle) if middle > 0 else 0.0
    return (1 - abs(skew) + spread) / 2


def rita_beacon(times: Floats, sizes: Floats, start: float) -> float:
    """Give the beacon score in the form of RITA v5; of several days from `start` on, that of the highest day."""
    days = np.floor((times - start) / (DAY * HOUR)).astype(int)
    span = min(float(times.max()) - start, DAY * HOUR)
    return max(
        _rita_day(times[days == day], sizes[days == day], start + day * DAY * HOUR, span) for day in np.unique(days)
    )


def _rita_day(times: Floats, sizes: Floats, start: float, span: float) -> float:
    seconds = np.unique(np.floor(times))
    if len(times) < FEWEST or len(seconds) < 4:
        return 0.0
    hours = np.bincount(np.clip((times - start) // HOUR, 0, DAY - 1).astype(int), minlength=DAY)
    gaps = np.diff(seconds)
    parts = (_even(gaps[gaps > 0]), _even(sizes), _lasting(times, hours, span), _level(hours))
    return float(np.mean(parts))


def _even(values: Floats) -> float:
    low, middle, high = np.percentile(values, [25, 50, 75])
    skew = 0.0 if high - low < NARROW or middle in (low, high) else (low + high - 2 * middle) / (high - low)
    deviation = np.median(np.abs(values - middle))
    spread = 1.0 if middle < 1 else max(0.0, float((middle - deviation) / middle))
    return (1 - abs(float(skew)) + spread) / 2


def _lasting(times: Floats, hours: NDArray[np.int64], span: float) -> float:
    if np.count_nonzero(hours) < FEW_HOURS:
        return 0.0
    longest = max(len(run) for run in "".join("x" if count else " " for count in hours).split())
    return min(1.0, max(float(np.ptp(times)) / span, longest / HALF_A_DAY))


def _level(hours: NDArray[np.int64]) -> float:
    level = max(0.0, 1 - float(hours.std() / hours.mean()))
    seen = hours[hours > 0]
    if len(seen) >= SOME_HOURS:
        frequent = np.sort(np.bincount((seen / max(hours.max() / BINS, 1)).astype(int)))[-2:].sum()
        level = max(level, min(1.0, frequent / (len(seen) - 1)))
    return level


def isolation_forest(learnt: Floats, judged: Floats) -> Floats:
    """Score with scikit-learn's defaults; higher is stranger."""
    return np.asarray(-IsolationForest(random_state=0).fit(learnt).score_samples(judged), dtype=np.float64)


def raw_counts(windows: Windows) -> pl.DataFrame:
    """Give, with the key of each window, its raw values and the number of different items of each feature."""
    items = windows.items.group_by(*KEY, "feature").agg(pl.len().cast(pl.Float64))
    counts = items.pivot("feature", index=list(KEY), values="len")
    joined = windows.values.join(counts, on=list(KEY), how="left", maintain_order="left")
    absent = [pl.lit(None, pl.Float64).alias(name) for name in specs() if name not in joined.columns]
    return joined.with_columns(absent).select(*KEY, pl.col(list(specs())).fill_null(0.0))


def outlier_models() -> dict[str, Scorer]:
    """Name the models on raw counts that are installed here."""
    found: dict[str, Scorer] = {"isolation forest": isolation_forest}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pyod.models.copod import COPOD  # noqa: PLC0415 - optional, and slow to import
            from pyod.models.ecod import ECOD  # noqa: PLC0415
    except ModuleNotFoundError:
        return found
    for name, model in (("ECOD", ECOD), ("COPOD", COPOD)):
        found[name] = _pyod(model)
    return found


def _pyod(model: type) -> Scorer:
    def score(learnt: Floats, judged: Floats) -> Floats:
        return np.asarray(model().fit(learnt).decision_function(judged), dtype=np.float64)

    return score
