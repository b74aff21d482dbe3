"""Windows that a client computed itself, turned into the frames that the detector reads."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from features.expectations import Expectation
from features.protocols import FeatureSpec, specs
from features.windows import FACTS_SCHEMA, VALUES_SCHEMA, WINDOW, Windows
from models.detector import Detector
from models.scores import Score
from service.api.problems import problem
from service.api.schemas import Feature, Window
from service.api.schemas.problems import Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
_MET_SCHEMA = {"row": pl.UInt32(), "feature": pl.String(), "item": pl.String(), "count": pl.Int64()}
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
    given = [window.features for _, window in windows]
    keys = pl.DataFrame(
        {"workload": [key[0] for key, _ in windows], "window_start": [key[1] for key, _ in windows]}, VALUES_SCHEMA
    )
    values = keys.with_columns(
        pl.Series(spec.name, [features.get(spec.name) for features in given], dtype=pl.Float64)
        for spec in specs().values()
        if spec.kind != "items"
    )
    repositories = {window.workload: window.image_repository for _, window in windows if window.image_repository}
    facts = {"workload": list(repositories), "image_repository": list(repositories.values())}
    return Windows(values, _items(keys, given), pl.DataFrame(facts, FACTS_SCHEMA).sort("workload"))


def _items(keys: pl.DataFrame, given: list[dict[str, Feature]]) -> pl.DataFrame:
    rows: list[int] = []
    names: list[str] = []
    items: list[str] = []
    counts: list[int] = []
    for row, features in enumerate(given):
        for name, feature in features.items():
            if isinstance(feature, (int, float)):
                continue
            counted = feature if isinstance(feature, dict) else Counter(feature)
            rows += [row] * len(counted)
            names += [name] * len(counted)
            items += counted.keys()
            counts += counted.values()
    met = pl.DataFrame({"row": rows, "feature": names, "item": items, "count": counts}, _MET_SCHEMA)
    met = met.sort("row", "feature", "item")
    return pl.concat([keys[met["row"]], met.drop("row")], how="horizontal")


def _complaint(window: Window, key: _Key, seen: dict[_Key, tuple[int, Window]]) -> str | None:
    start = key[1]
    if not _EPOCH <= start < _LAST:
        return "window_start lies outside 1970 to 2199"
    if (start - _EPOCH) % WINDOW != timedelta(0):
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
