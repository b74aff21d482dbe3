"""Windows as rows of named values, the way the protocols of model servers carry them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from features.protocols import specs
from models.detector import Detector
from models.scores import Score
from service.api.problems import refuse
from service.api.schemas import MAX_ITEMS, Count, Item, Window
from service.api.schemas.problems import Fault
from service.api.windows import score_windows
from service.metrics import SCORED
from service.state import state

REQUIRED = ("workload", "window_start")
OPTIONAL = ("image_repository",)
_MOST_TOLD = 100


def score_rows(detector: Detector, rows: Sequence[Mapping[str, Any]]) -> list[Score]:
    """Score windows, each of which is a row: a value by the name of each of its parts and features.

    An item feature is a list, an object from item to count, or the JSON text of either. What is null, or an empty
    text, is left out.

    Raises
    ------
    ProblemError
        422 if a row cannot be scored: these protocols have no place for an error beside other rows' scores.
    """
    if len(rows) > MAX_ITEMS:
        raise refuse(422, f"There are {len(rows)} rows; send at most {MAX_ITEMS} at a time.")
    windows: list[tuple[int, Window]] = []
    faults: list[Fault] = []
    for number, row in enumerate(rows):
        try:
            windows.append((number, _window(row)))
        except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
            faults.append(Fault(detail=f"row {number}: {error}"))
    if not faults:
        scores, unfit = score_windows(detector, windows, state().home.feedback.expectations())
        faults = [Fault(detail=f"row {number}: {unfit[number].detail}") for number in sorted(unfit)]
    if faults:
        raise refuse(422, f"No row is scored, for {faults[0].detail}", errors=faults[:_MOST_TOLD])
    for score in scores.values():
        SCORED.labels(score.severity).inc()
    return [scores[number] for number in range(len(rows))]


def _window(row: Mapping[str, Any]) -> Window:
    given = {name: value for name, value in row.items() if value is not None and value != ""}
    parts = {name: given.pop(name) for name in (*REQUIRED, *OPTIONAL) if name in given}
    features = {name: _items(value) if isinstance(value, str) else value for name, value in given.items()}
    return msgspec.convert({**parts, "features": features}, Window)


def _items(text: str) -> list[str] | dict[str, int]:
    return msgspec.json.decode(text, type=list[Item] | dict[Item, Count])


def names() -> tuple[str, ...]:
    """List what a row may hold."""
    return (*REQUIRED, *OPTIONAL, *specs())
