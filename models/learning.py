"""A baseline learnt step by step, each step weighed against all before it; and what of it may serve.

The state that goes from night to night holds everything. What a guard holds back is taken out of it for each use, by
learning the few workloads concerned again from their windows: so that quarantine can end, and a verdict can come late,
without anything else being learnt twice.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import polars as pl

from features.baselines import Baseline, learn, merge_all
from features.evidence import Normal, weigh
from features.windows import Windows
from models.channels import Channels
from models.held_out import HeldOut, Step, days_between
from models.quarantine import HELD_SCHEMA, ITEM, Guard, Withheld, strange_cells, strange_parts

Kept = Callable[[], HeldOut]  # evidence of a step, in memory or read when asked for


class WindowSource(Protocol):
    """Windows of a span, in memory or on disk."""

    def read(self, since: datetime, until: datetime, *, workloads: Collection[str] | None = None) -> Windows:
        """Give the windows that start in [since, until), of some workloads or of all, in the order of `Windows`."""

    def parts(self, since: datetime, until: datetime) -> Iterator[Windows]:
        """Give the same in parts that fit into memory, each of other workloads; at least one."""


@dataclass(frozen=True)
class InMemory:
    """Windows at hand as a source."""

    windows: Windows

    def parts(self, since: datetime, until: datetime) -> Iterator[Windows]:
        """See `WindowSource`."""
        yield self.read(since, until)

    def read(self, since: datetime, until: datetime, *, workloads: Collection[str] | None = None) -> Windows:
        """See `WindowSource`."""
        windows = self.windows.between(since, until)
        if workloads is None:
            return windows
        own = pl.col("workload").is_in(list(workloads))
        return Windows(windows.values.filter(own), windows.items.filter(own), windows.facts.filter(own))


class Guarded:
    """What a guard lets through of a span.

    Parameters
    ----------
    source, since, until
        The windows, as far back as they are kept.
    guard
        Who may teach what.
    strange
        What made windows strange, beside what the guard holds already.
    """

    def __init__(
        self,
        source: WindowSource,
        since: datetime,
        until: datetime,
        guard: Guard,
        strange: pl.DataFrame | None = None,
    ) -> None:
        strange = pl.DataFrame(schema=HELD_SCHEMA) if strange is None else strange
        held = pl.concat([guard.held["workload"], strange["workload"]]).unique().sort()
        self._concerned = sorted({*held, *(attack.workload for attack in guard.attacks)})
        self._since = since
        self.withheld: Withheld = guard.withhold(source.read(since, until, workloads=self._concerned), strange, until)

    def take_from(self, everything: Baseline) -> Baseline:
        """Give the baseline without what is held back."""
        if not self._concerned:
            return everything
        others = everything.only(pl.Series("workload", self._concerned), others=True)
        return others.merge(learn(self.withheld.kept, self._since, everything.until))


@dataclass(frozen=True)
class Learnt:
    """What a span taught: the baseline of everything, and how to get the evidence of each step."""

    baseline: Baseline
    held_out: Sequence[Kept] = ()

    @classmethod
    def nothing(cls, since: datetime) -> "Learnt":
        """Begin to learn at `since`."""
        return cls(Baseline.empty(since))

    def past(self, source: WindowSource, since: datetime, until: datetime) -> "Learnt":
        """Learn windows without weighing them."""
        return self._and([learn(part, since, until) for part in source.parts(since, until)])

    def step(self, source: WindowSource, step: Step, guarded: Guarded) -> "Learnt":
        """Weigh the windows of a step against what was learnt before it, then learn them."""
        normal = Normal.of(guarded.take_from(self.baseline))
        taught, evidence = [], []
        for windows in source.parts(*step):
            evidence.append(HeldOut.of(weigh(windows, normal)))
            taught.append(learn(windows, *step))
        found = HeldOut.concat(evidence).in_order()
        return replace(self._and(taught), held_out=[*self.held_out, lambda: found])

    def _and(self, taught: list[Baseline]) -> "Learnt":
        return replace(self, baseline=merge_all([self.baseline, *taught]).bounded())


def learn_in_steps(
    source: WindowSource,
    steps: list[Step],
    learnt: Learnt,
    guarded: Guarded,
    done: Callable[[Step, Learnt], Learnt] = lambda _step, learnt: learnt,
) -> Learnt:
    """Learn the windows between what is learnt already and the end of the last step.

    Parameters
    ----------
    steps
        Spans to be weighed; what lies between two, or before the first, is learnt without.
    done
        Called after each step; what it gives is gone on with.
    """
    for start, end in steps:
        for day in days_between(learnt.baseline.until, start):
            learnt = learnt.past(source, *day)
        learnt = learnt.step(source, (start, end), guarded)
        learnt = done((start, end), learnt)
    return learnt


def find_strange(
    source: WindowSource, steps: list[Step], held_out: Sequence[Kept], channels: Channels, cleared: Baseline
) -> pl.DataFrame:
    """Find what made held-out windows strange, each against what was learnt before its step.

    Parameters
    ----------
    cleared
        Baseline at the end of the span, without what a guard held back before.

    Returns
    -------
    Of `HELD_SCHEMA`.
    """
    found = [pl.DataFrame(schema=HELD_SCHEMA)]
    for (start, end), kept in zip(steps, held_out, strict=True):
        inside = kept()
        if len(inside.keys) and len(cells := strange_cells(inside.evidence(), channels)):
            concerned = cells["workload"].unique().sort()
            items = source.read(start, end, workloads=concerned.to_list()).items
            own = pl.col("workload").is_in(concerned.implode())
            known = cleared.items.filter(own, pl.col("first_seen") < start).select(ITEM)
            found.append(strange_parts(cells, items, known))
    return pl.concat(found)
