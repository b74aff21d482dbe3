"""Which days of windows are to be made: those that are made of other things than what is there was made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from features import day_leases
from features.addresses import Network
from features.extraction import CONTROL_COLUMNS, DAY, floor_day, read_leases
from features.fingerprints import code, fingerprint
from features.lake import Lake
from features.leases import Leases, attribute
from features.rollouts import LIFE_KINDS, standing
from features.survey import Survey
from features.window_store import WindowStore
from features.windows import WINDOW
from service.jobs.holdings import Holding


@dataclass(frozen=True)
class DayPlan:
    """How a day is to be made.

    Parameters
    ----------
    leases
        Those that matter to the day.
    dealt
        Fingerprint of all that its dealt events are made of.
    key
        Fingerprint of all that its windows are made of.
    before
        The plan of the day before; None if the lake holds nothing of it.
    """

    holding: Holding
    leases: Leases
    dealt: str
    key: str
    before: "DayPlan | None"

    @property
    def rows(self) -> dict[str, int]:
        """Number of events that the day's windows are made of."""
        return self.holding.rows | {"traffic before": self.before.holding.rows["traffic"] if self.before else 0}


def plan(
    lake: Lake, holdings: Sequence[Holding], until: datetime, networks: tuple[Network, ...]
) -> Iterator[tuple[DayPlan, pl.DataFrame]]:
    """Plan days in their order, each with the attributed snapshots of the containers that stood before it.

    Parameters
    ----------
    until
        What the lake holds from then on counts for nothing.
    """
    leases = read_leases(lake, until)
    stood, told = pl.DataFrame(), None
    before: DayPlan | None = None
    for holding in holdings:
        begin = holding.since - 2 * WINDOW
        life = lake.read(since=told, until=begin, kinds=LIFE_KINDS, columns=CONTROL_COLUMNS)
        stood, told = standing(pl.concat([stood, life]) if told else life), begin
        placed = attribute(stood, leases, networks)
        if before is not None and before.holding.since < holding.since - DAY:
            before = None
        before = _day(holding, leases, placed, networks, before)
        yield before, placed


def is_pending(day: DayPlan, store: WindowStore, since: datetime) -> bool:
    """Say whether a day's windows are to be made.

    Days before that of `since` are there for those after them. A day whose events the lake keeps no longer stands as
    it was made.
    """
    if day.holding.since < floor_day(since):
        return False
    told = store.manifest(day.holding.since.date())
    if told is None:
        return True
    expired = any(told["rows"][name] and not count for name, count in day.rows.items())
    return not expired and told["key"] != day.key


def _day(
    holding: Holding, leases: Leases, placed: pl.DataFrame, networks: tuple[Network, ...], before: DayPlan | None
) -> DayPlan:
    met = sum(holding.surveys.values(), Survey()).met
    own = day_leases.during(leases, holding.since, holding.until, met)
    stood = placed.select("event_id", "host", "workload", "healthcheck").sort("event_id").write_csv()
    files = list(holding.files.values())
    dealt = fingerprint(code(), [str(one) for one in networks], holding.until, files, day_leases.digest(own), stood)
    key = fingerprint(dealt, before.dealt if before else None)
    return DayPlan(holding, own, dealt, key, replace(before, before=None) if before else None)
