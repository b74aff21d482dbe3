"""What a workload asks of DNS: `features.extractors.lookups` while queries come in."""

from collections import Counter
from dataclasses import dataclass, field

from features.flows import domain_of
from features.online.moments import DAY, Moment, Row
from features.online.per_window import Found, PerWindow
from features.online.trail import Names

FAILED = ("NXDOMAIN", "SERVFAIL")


@dataclass(slots=True)
class Asked:
    """The queries of one window."""

    longest: int = 0
    names: dict[str | None, set[str]] = field(default_factory=dict)


class Lookups:
    """DNS queries: how many, for what, and how much a name could carry."""

    def __init__(self, windows: PerWindow[Found], dropped: Counter[str]) -> None:
        self._windows = windows
        self._asked: PerWindow[Asked] = PerWindow(Asked)
        self._day = Names(dropped)

    def add(self, row: Row, moment: Moment) -> None:
        """Take a query of a workload."""
        workload, query = row["workload"], row["query"]
        found = self._windows.at(workload, moment.window)
        found.count("network.queries")
        found.count("network.failed_lookups", row.get("rcode") in FAILED)
        domain = domain_of(query)
        found.meet("network.query_type", row.get("qtype"))
        found.meet("network.new_name", domain)
        asked = self._asked.at(workload, moment.window)
        asked.longest = max(asked.longest, *map(len, query.split(".")))
        asked.names.setdefault(domain, set()).add(query)
        if domain is not None:
            self._day.meet(workload, domain, query, moment.window)

    def tell(self, workload: str, window: int, found: Found) -> None:
        """Add how long and how many names were, in this window and in the day up to it."""
        asked = self._asked.get(workload, window)
        if asked is None:
            return
        found.values["network.name_length"] = float(asked.longest)
        found.values["network.subdomains"] = float(max(map(len, asked.names.values())))
        days = [self._day.distinct(workload, domain, window) for domain in asked.names if domain is not None]
        if days:
            found.values["network.day_subdomains"] = float(max(days))

    def forget(self, before: int) -> None:
        """Drop what no window from `before` on can ask for."""
        self._asked.forget(before)
        self._day.forget(before - DAY)
