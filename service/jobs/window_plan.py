"""Which days of windows are to be made: those that are made of other things than what is there was made of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from features.addresses import Network
from features.day_leases import DayLeases
from features.extraction import DAY, floor_day
from features.fingerprints import code, fingerprint
from features.lake_reader import LakeReader
from features.leases import Leases, is_pull
from features.lives import Lives
from features.standing_snapshots import StandingSnapshots
from features.window_store import WindowStore
from features.windows import WINDOW
from service.jobs.holdings import Holding


@dataclass(frozen=True)
class DayPlan:
    """How a day is to be made.

    Parameters
    ----------
    dealt
        Fingerprint of all that its dealt events are made of.
    key
        Fingerprint of all that its windows are made of.
    before
        The plan of the day before; None if the lake holds nothing of it.
    """

    holding: Holding
    dealt: str
    key: str
    before: "DayPlan | None"

    @property
    def rows(self) -> dict[str, int]:
        """Number of events that the day's windows are made of."""
        return self.holding.rows | {"traffic before": self.before.holding.rows["traffic"] if self.before else 0}


class Planner:
    """Plans days by what a lake tells of containers, of which only what differs between days is looked at by day.

    Parameters
    ----------
    until
        What the lake holds from then on counts for nothing.
    networks
        Internal networks.
    """

    def __init__(self, lake: LakeReader, until: datetime, networks: tuple[Network, ...]) -> None:
        lives = Lives(lake).renew()
        told, leases = lives.events(until), lives.leases(until)
        self._leases = DayLeases(leases, told.filter(is_pull())["ts"])
        self._snapshots = StandingSnapshots(lives, told, leases, networks)
        self._made_by = code(), [str(one) for one in networks]

    def plans(self, holdings: Iterable[Holding]) -> Iterator[DayPlan]:
        """Plan days, which are given in their order."""
        before: DayPlan | None = None
        for holding in holdings:
            if before is not None and before.holding.since < holding.since - DAY:
                before = None
            before = self._plan(holding, before)
            yield before

    def leases(self, day: DayPlan) -> Leases:
        """Give the leases that matter to a day."""
        held = day.holding
        return self._leases.during(held.since, held.until, held.met)

    def standing(self, day: DayPlan) -> pl.DataFrame:
        """Give the attributed snapshots of the containers that stood before a day's events of control."""
        return self._snapshots.before(_begin(day.holding))

    def _plan(self, held: Holding, before: DayPlan | None) -> DayPlan:
        leases = self._leases.digest(held.since, held.until, held.met)
        stood = self._snapshots.digest(_begin(held))
        dealt = fingerprint(*self._made_by, held.until, list(held.files.values()), leases, stood)
        key = fingerprint(dealt, before.dealt if before else None)
        return DayPlan(held, dealt, key, replace(before, before=None) if before else None)


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


def _begin(held: Holding) -> datetime:
    return held.since - 2 * WINDOW
