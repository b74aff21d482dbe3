"""Windows that a client computed itself, turned into the frames that the detector reads."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, repeat

import numpy as np
import polars as pl

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
    measured = [name for name, spec in specs().items() if spec.kind != "items"]
    column = {name: place for place, name in enumerate(measured)}
    features = [window.features for _, window in windows]
    row = np.repeat(np.arange(len(windows)), [len(of) for of in features])
    names = list(chain.from_iterable(features))
    told = list(chain.from_iterable(of.values() for of in features))
    place = np.array([column.get(name, -1) for name in names], np.intp)
    numbers, others = np.flatnonzero(place >= 0), np.flatnonzero(place < 0)
    table = np.full((len(measured), len(windows)), np.nan)
    table[place[numbers], row[numbers]] = [told[one] for one in numbers.tolist()]
    met = [
        Counter(value) if isinstance(value, list) else value
        for one in others.tolist()
        if not isinstance(value := told[one], (int, float))
    ]
    each = np.repeat(others, [len(of) for of in met])
    keys = _keys([key for key, _ in windows])
    return Windows(
        keys.hstack(pl.DataFrame(dict(zip(measured, table, strict=True)), nan_to_null=True)),
        keys[row[each]].with_columns(
            pl.Series("feature", names, pl.String)[each],
            pl.Series("item", list(chain.from_iterable(met)), pl.String),
            pl.Series("count", list(chain.from_iterable(of.values() for of in met)), pl.Int64),
        ),
        _facts(windows),
    )


def _keys(keys: list[_Key]) -> pl.DataFrame:
    starts = np.array([(start - EPOCH) // timedelta.resolution for _, start in keys], np.int64)
    workloads = pl.Series("workload", [workload for workload, _ in keys], pl.String)
    return pl.DataFrame([workloads, pl.Series("window_start", starts).cast(TIME)])


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
    if all(map(isinstance, window.features.values(), map(_taken().get, window.features, repeat(())))):
        return None
    name = next(name for name, value in window.features.items() if not isinstance(value, _taken().get(name, ())))
    if name not in specs():
        return f"there is no feature {name!r}; GET /v1/features lists those there are"
    return f"the feature {name!r} takes {_wanted(specs()[name])}"


@cache
def _taken() -> dict[str, tuple[type, ...]]:
    """Give the types that each feature takes."""
    return {name: (list, dict) if spec.kind == "items" else (int, float) for name, spec in specs().items()}


def _wanted(spec: FeatureSpec) -> str:
    return "a list of items, or an object from item to count" if spec.kind == "items" else "a number"
