"""What can be asked of stored scores and incidents."""

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
