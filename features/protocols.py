"""What a source and an extractor are, and how they are found."""

import pkgutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, Protocol, runtime_checkable

import polars as pl

from features.events import EPOCH

Family = Literal["pulls", "network", "config", "control", "logs"]
FAMILIES: tuple[Family, ...] = ("pulls", "network", "config", "control", "logs")

Trail = Mapping[str, pl.DataFrame]
"""What an extractor keeps of events for windows that come after them, in tables of its own."""
NOTHING: Trail = MappingProxyType({})

Record = dict[str, Any]
Row = dict[str, Any]


class RecordError(ValueError):
    """A record its source cannot read; the message says why and is shown beside file and line."""


@runtime_checkable
class Source(Protocol):
    """One telemetry format: knows its records and turns each into event rows."""

    @property
    def name(self) -> str:
        """Name shown in counts and taken by `--source`."""

    def recognises(self, record: Record) -> bool:
        """Say from its keys alone whether a decoded record is of this source."""

    def parse(self, record: Record, host: str | None) -> list[Row]:
        """Turn a record into partial event rows (columns of `EVENT_SCHEMA`); empty when it carries nothing we use.

        Raises
        ------
        RecordError
            If the record is of this source and yet unreadable.
        """


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Declaration of one feature: the only place that names it.

    Parameters
    ----------
    name
        `family.feature`.
    kind
        `count` (events in the window), `magnitude` (bytes, seconds, share) or `items` (what was met in the window).
    unit
        What one of it is, in the singular: `connection`, `byte`, `registry`.
    meaning
        What it measures, for documentation.
    technique
        ATT&CK technique id that a surprising value points to.
    sentence
        For a person; may use `{value}`, `{expected}`, `{workload}`.
    group
        Features of one group tell one story: only the strongest of a group counts in the vector given to the forest.
    weight
        Trust in the feature, 0 to 1: its evidence in bits is multiplied by it.
    keyed
        Items read `key value`, and one is only surprising if its key is known with other values (a tag and its digest).
    kind_of
        Regular expression whose first group is the kind of an item (`features.kinds`); empty for items of no kind.
    instead_of
        Feature of items in whose place it is judged: where a window has an item in both, it counts here alone, and yet
        is learnt in both. Empty for none.
    """

    name: str
    kind: Literal["count", "magnitude", "items"]
    unit: str
    meaning: str
    technique: str
    sentence: str
    group: str
    weight: float = 1.0
    keyed: bool = False
    kind_of: str = ""
    instead_of: str = ""

    @property
    def family(self) -> Family:
        """Family the feature belongs to: the part of its name before the dot."""
        family = self.name.partition(".")[0]
        for known in FAMILIES:
            if known == family:
                return known
        raise ValueError(f"feature {self.name} is of no known family")


@dataclass(frozen=True, slots=True)
class Extraction:
    """What one extractor found.

    Parameters
    ----------
    values
        `workload, window_start` and one Float64 column per count or magnitude; one row per window that has any.
    items
        `workload, window_start, feature, item, count`: what was met in the window, for features of kind `items`.
    """

    values: pl.DataFrame
    items: pl.DataFrame


@runtime_checkable
class Extractor(Protocol):
    """One family of features over attributed events."""

    @property
    def specs(self) -> Sequence[FeatureSpec]:
        """Features this extractor yields, in column order."""

    @property
    def kinds(self) -> Collection[str]:
        """Kinds of events it tells something of; where none of them is, it is not asked.

        Traffic and control are extracted apart, and who measures something does so of one of them.
        """

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH) -> Extraction:
        """Compute the features of windows in attributed `events`; the input is left unchanged.

        Parameters
        ----------
        since
            Windows that start earlier are not asked for, and may be left out: what came before is there for features
            that look back.
        """


@runtime_checkable
class LookingBack(Extractor, Protocol):
    """A family of features some of which look at more than a window: at a day of events, or at what stood before.

    A day that is too large to be held in memory is extracted in spans, one after another. What is kept from one to the
    next must not grow with the number of events: of a thousand alike it holds one, or their sum.
    """

    def trail(self, events: pl.DataFrame, before: Trail = NOTHING) -> Trail:
        """Keep of `events`, and of the trail of all that came before them, what windows look back at.

        The windows of `events` follow those of the events before, and none is in both.
        """

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH, trail: Trail | None = None) -> Extraction:
        """Compute the features of windows in `events`, which look back at a trail that ends with these events.

        Parameters
        ----------
        trail
            None: that of the events alone.
        """


def _members(package: str, attribute: str) -> dict[str, Any]:
    found = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(import_module(package).__path__)):
        member = getattr(import_module(f"{package}.{module}"), attribute, None)
        if member is None:
            raise TypeError(f"{package}.{module} has no `{attribute}`")
        found[module] = member
    return found


@cache
def sources() -> Mapping[str, Source]:
    """Find every source: each module of `features.sources` holds one, named `source`."""
    return {member.name: member for member in _members("features.sources", "source").values()}


@cache
def extractors() -> Mapping[str, Extractor]:
    """Find every extractor: each module of `features.extractors` holds one, named `extractor`."""
    return _members("features.extractors", "extractor")


@cache
def specs() -> Mapping[str, FeatureSpec]:
    """Every feature by name, in column order: extractors by name, then as declared."""
    return {spec.name: spec for extractor in extractors().values() for spec in extractor.specs}
