"""What people can tell the service: that something will change, and what an incident was."""

from datetime import datetime
from typing import Literal

import msgspec

Ruling = Literal["expected", "attack", "unsure"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An announced change: until it expires it explains the drift that it names, and no other.

    `fields` are settings (`Memory`, or `Memory=1073741824` for one value; `EnvKey=MODE` for a variable, whose value
    is not kept), `destinations` are `host` or `host:port`.
    """

    id: str
    workload: str
    since: datetime
    until: datetime
    by: str
    image: str | None = None
    fields: list[str] = []
    destinations: list[str] = []
    link: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of an incident, from its first window's start to its last one's end.

    `items` and `at_most` are what made it strange, by feature. An `expected` verdict holds for the workload and, where
    they are named, for every workload of the same image in the same cohort.
    """

    id: str
    verdict: Ruling
    workload: str
    start: datetime
    end: datetime
    until: datetime
    by: str
    note: str = ""
    items: list[tuple[str, str]] = []
    at_most: dict[str, float] = {}
    image_repository: str | None = None
    cohort: str | None = None

    def meets(self, workload: str, start: datetime, end: datetime) -> bool:
        """Tell whether it was said of an incident that shares time with `start <= t < end` of a workload."""
        return workload == self.workload and self.start < end and start < self.end
