"""Windows that a client computed itself, turned into the frames that the detector reads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import EPOCH, TIME
from features.expectations import Expectation
from features.protocols import FeatureSpec, specs
from features.windows import FACTS_SCHEMA, WINDOW, Windows
from models.detector import Detector
from models.scores import Score
from service.api.problems import problem
from service.api.schemas import Window
from service.api.schemas.problems import Problem

_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_Key = tuple[str, datetime]


def score_windows(
    detector: Detector, windows: list[tuple[int, Window]], expected: Sequence[Expectation]
) -> tuple[dict[int, Score], dict[int, Problem]]:
    """Score windows by their number in the request; what is expected does not raise a score.

    Returns
    -------
    The scores, and the problems of the windows that cannot be scored.
    """
    fit: dict[_Key, tuple[int, Window]] = {}
    unfit: dict[int, Problem] = {}
    for number, window in windows:
        key = (window.workload, window.window_start.astimezone(UTC))
        if complaint := _complaint(window, key, fit):
            unfit[number] = problem(422, complaint)
        else:
            fit[key] = (number, window)
    if not fit:
        return {}, unfit
    ordered = sorted(fit)
    scores = detector.score(to_frames([(key, fit[key][1]) for key in ordered]), expected=expected)
    return {fit[key][0]: score for key, score in zip(ordered, scores, strict=True)}, unfit


def to_frames(windows: list[tuple[_Key, Window]]) -> Windows:
    """Lay out windows as frames; every declared count and magnitude has its column, null where it is not given.

    Parameters
    ----------
    windows
        In order of workload and start.
    """
    measured = {spec.name: place for place, spec in enumerate(s for s in specs().values() if s.kind != "items")}
    columns, rows, amounts = [], [], []
    met: list[tuple[int, str, Mapping[str, int]]] = []
    for row, (_, window) in enumerate(windows):
        for name, feature in window.features.items():
            if isinstance(feature, (int, float)):
                columns.append(measured[name])
                rows.append(row)
                amounts.append(feature)
            else:
                met.append((row, name, feature if isinstance(feature, dict) else Counter(feature)))
    table = np.full((len(measured), len(windows)), np.nan)
    table[columns, rows] = amounts
    values = pl.DataFrame({name: table[place] for name, place in measured.items()}, nan_to_null=True)
    workloads = [key[0] for key, _ in windows]
    starts = np.array([(key[1] - EPOCH) // timedelta.resolution for key, _ in windows], np.int64)
    return Windows(_keys(workloads, starts).hstack(values), _items(met, workloads, starts), _facts(windows))


def _keys(workloads: list[str], starts: NDArray[np.int64]) -> pl.DataFrame:
    return pl.DataFrame([pl.Series("workload", workloads, pl.String), pl.Series("window_start", starts).cast(TIME)])


def _items(
    met: list[tuple[int, str, Mapping[str, int]]], workloads: list[str], starts: NDArray[np.int64]
) -> pl.DataFrame:
    rows = [row for row, _, counted in met for _ in counted]
    names = [name for _, name, counted in met for _ in counted]
    items = list(chain.from_iterable(counted for _, _, counted in met))
    counts = list(chain.from_iterable(counted.values() for _, _, counted in met))
    return _keys([workloads[row] for row in rows], starts[np.array(rows, np.intp)]).hstack(
        [
            pl.Series("feature", names, pl.String),
            pl.Series("item", items, pl.String),
            pl.Series("count", counts, pl.Int64),
        ]
    )


def _facts(windows: list[tuple[_Key, Window]]) -> pl.DataFrame:
    repositories = {window.workload: window.image_repository for _, window in windows if window.image_repository}
    workloads = sorted(repositories)
    return pl.DataFrame(
        {"workload": workloads, "image_repository": [repositories[name] for name in workloads]}, FACTS_SCHEMA
    )


def _complaint(window: Window, key: _Key, seen: dict[_Key, tuple[int, Window]]) -> str | None:
    start = key[1]
    if not EPOCH <= start < _LAST:
        return "window_start lies outside 1970 to 2199"
    if (start - EPOCH) % WINDOW != timedelta(0):
        return f"window_start must be a multiple of {WINDOW // timedelta(minutes=1)} minutes past the hour"
    if key in seen:
        return "the same window of this workload stands earlier in the request"
    known = specs()
    for name, value in window.features.items():
        spec = known.get(name)
        if spec is None:
            return f"there is no feature {name!r}; GET /v1/features lists those there are"
        if (spec.kind == "items") == isinstance(value, (int, float)):
            return f"the feature {name!r} takes {_wanted(spec)}"
    return None


def _wanted(spec: FeatureSpec) -> str:
    return "a list of items, or an object from item to count" if spec.kind == "items" else "a number"
