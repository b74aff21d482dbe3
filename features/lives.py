"""The lives of containers as a lake tells of them, kept up to date: what a reading costs goes with what is new."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

import polars as pl

from features.container_leases import OwnLeases, by_container
from features.events import EPOCH, conform
from features.lake_files import once
from features.lake_reader import LakeReader
from features.leases import LEASE_COLUMNS, Leases, joined
from features.life_events import KEYS, Key, LifeEvents
from features.machines import heard, machines
from features.placements import placements
from features.rollouts import standing

_FOREVER = datetime.max.replace(tzinfo=UTC)
_SNAPSHOT = ("container_id", "ts", "event_id")


class Lives:
    """Leases, placements and standing snapshots as of any time, the same as if all events before it were read at once.

    What is told of a container follows from its own events, and what was heard of an image from that image's. So files
    are read once, and only containers and images of which events came or went, or lie between the time that is asked
    for and that of before, are looked at again. Not for several threads.

    Parameters
    ----------
    lake
        Others may add to it, merge its files and remove them. Nothing is read before the first `renew`.
    """

    def __init__(self, lake: LakeReader) -> None:
        self._lake = lake
        self._events = LifeEvents(lake)
        self._leases = _Derived("container", by_container)
        self._heard = _Derived("image", lambda events: (heard(events),))
        self._placed = _Derived("container", lambda events: (placements(events),))
        self._standing = _Derived("container", lambda events: (standing(events).select(_SNAPSHOT),))
        self._snapshots = conform(pl.DataFrame())

    def renew(self) -> Self:
        """Take in what the lake holds now, and give this."""
        differing = self._events.renew()
        for one in (self._leases, self._heard, self._placed, self._standing):
            one.note(differing)
        return self

    def leases(self, until: datetime | None = None) -> Leases:
        """Give the leases that everything before `until` tells of; None: everything."""
        own, counted = self._leases.at(self._events, until), self._heard.at(self._events, until)
        return joined(OwnLeases(*own), machines(*counted))

    def events(self, until: datetime) -> pl.DataFrame:
        """Give all events before `until` that tell of leases, by time, each once."""
        return once(self._events.between(EPOCH, until))

    def placements(self, until: datetime) -> pl.DataFrame:
        """Tell the life of each container, as `features.placements.placements` does, from everything before `until`."""
        (placed,) = self._placed.at(self._events, until)
        return placed

    def standing(self, until: datetime, columns: Sequence[str]) -> pl.DataFrame:
        """Give columns of the last snapshot of each container that stands at `until`, in order of time.

        Only snapshots that the call before did not give are read, unless it was asked for other columns.
        """
        (wanted,) = self._standing.at(self._events, until)
        needed = list(dict.fromkeys([*columns, *_SNAPSHOT]))
        if self._snapshots.columns != needed:
            self._snapshots = conform(pl.DataFrame()).select(needed)
        known = self._snapshots.join(wanted, on=_SNAPSHOT, how="semi")
        missing = wanted.join(known, on=_SNAPSHOT, how="anti")
        for _, day in missing.group_by(pl.col("ts").dt.date()):
            read = self._lake.read(*_span(day), kinds=["config"], columns=needed)
            known = pl.concat([known, read.join(day, on=_SNAPSHOT, how="semi")])
        self._snapshots = once(known)
        return self._snapshots.select(columns)


class _Derived:
    """Tables that follow from events: what they hold of a container, or of an image, from its events alone.

    Parameters
    ----------
    key
        What the tables' rows are of; its columns are among theirs.
    derive
        Makes the tables of events in time order.
    """

    def __init__(self, key: Key, derive: Callable[[pl.DataFrame], Sequence[pl.DataFrame]]) -> None:
        self._key: Key = key
        self._derive = derive
        self._tables, self._until = list(derive(conform(pl.DataFrame()).select(LEASE_COLUMNS))), EPOCH
        self._stale = pl.Series(dtype=pl.UInt64)

    def note(self, differing: pl.DataFrame) -> None:
        """Take note of events that came or went."""
        self._stale = pl.concat([self._stale, differing[self._key]])

    def at(self, events: LifeEvents, until: datetime | None) -> list[pl.DataFrame]:
        """Give the tables that those of the events before `until` make."""
        until = until or _FOREVER
        between = events.between(min(until, self._until), max(until, self._until))
        stale = pl.concat([self._stale, between[self._key]]).drop_nulls().unique()
        if len(stale):
            others = ~KEYS[self._key].is_in(stale.implode())
            found = self._derive(events.of(self._key, stale.to_numpy(), until))
            self._tables = [pl.concat([old.filter(others), new]) for old, new in zip(self._tables, found, strict=True)]
        self._until, self._stale = until, stale.clear()
        return self._tables


def _span(events: pl.DataFrame) -> tuple[datetime, datetime]:
    times: tuple[datetime, datetime] = events.select(pl.col("ts").min(), last=pl.col("ts").max()).row(0)
    return times[0], times[1] + timedelta.resolution
