"""Windows that a client computed itself, turned into the frames that the detector reads."""

from datetime import UTC, datetime, timedelta

import polars as pl

from features.protocols import FeatureSpec, specs
from features.windows import FACTS_SCHEMA, ITEMS_SCHEMA, KEY, VALUES_SCHEMA, WINDOW, Windows
from models.detector import Detector
from models.scores import Score
from service.api.problems import Problem, problem
from service.api.schemas import Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_Key = tuple[str, datetime]


def score_windows(detector: Detector, windows: list[tuple[int, Window]]) -> tuple[dict[int, Score], dict[int, Problem]]:
    """Score windows by their number in the request.

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
    scores = detector.score(to_frames({key: window for key, (_, window) in fit.items()}))
    by_key = {(s.workload, datetime.fromisoformat(s.window_start)): s for s in scores}
    return {number: by_key[key] for key, (number, _) in fit.items()}, unfit


def to_frames(windows: dict[_Key, Window]) -> Windows:
    """Lay out windows as frames; every declared count and magnitude has its column, null where it is not given."""
    known = specs()
    numeric = [name for name, spec in known.items() if spec.kind != "items"]
    values, items = [], []
    for key, window in windows.items():
        given = window.features
        values.append((*key, *(given.get(name) for name in numeric)))
        for name, feature in given.items():
            counted = dict.fromkeys(feature, 1) if isinstance(feature, list) else feature
            if isinstance(counted, dict):
                items += [(*key, name, item, count) for item, count in counted.items()]
    repositories = {w.workload: w.image_repository for w in windows.values() if w.image_repository}
    return Windows(
        pl.DataFrame(values, VALUES_SCHEMA | dict.fromkeys(numeric, pl.Float64()), orient="row").sort(KEY),
        pl.DataFrame(items, ITEMS_SCHEMA, orient="row").sort(*KEY, "feature", "item"),
        pl.DataFrame(list(repositories.items()), FACTS_SCHEMA, orient="row").sort("workload"),
    )


def _complaint(window: Window, key: _Key, seen: dict[_Key, tuple[int, Window]]) -> str | None:
    start = key[1]
    if not _EPOCH <= start < _LAST:
        return "window_start lies outside 1970 to 2199"
    if (start - _EPOCH) % WINDOW != timedelta(0):
        return f"window_start must be a multiple of {WINDOW // timedelta(minutes=1)} minutes past the hour"
    if key in seen:
        return "the same window of this workload stands earlier in the request"
    for name, value in window.features.items():
        spec = specs().get(name)
        if spec is None:
            return f"there is no feature {name!r}; GET /v1/features lists those there are"
        if (spec.kind == "items") == isinstance(value, (int, float)):
            return f"the feature {name!r} takes {_wanted(spec)}"
    return None


def _wanted(spec: FeatureSpec) -> str:
    return "a list of items, or an object from item to count" if spec.kind == "items" else "a number"
