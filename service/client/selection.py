"""What can be asked of stored scores, incidents and coverage."""

from datetime import datetime
from typing import Literal, TypedDict

from models.scores import Severity


class Selection(TypedDict, total=False):
    """Which scores or incidents to list; times need an offset, `limit` is how many a page has."""

    workload: str
    since: datetime
    until: datetime
    severity: Severity
    host: str
    technique: str
    order: Literal["time", "bits"]
    limit: int


class CoverageSelection(TypedDict, total=False):
    """Which coverage to tell of; `silent_after` is in seconds without an event, up to the latest of all."""

    source: str
    host: str
    silent_after: int
