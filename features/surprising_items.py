"""How surprising it is to meet the items of windows, in bits, by what `features.novelty` expects.

A new item is judged by how often its workload meets anything as new. A known item is judged by the share of windows
that met one as rare as it. An item that stays is met again: at its (k+1)-th window since the baseline ended it is k + 1
times less surprising. Several new items in one window are rarer than one, by as much as new items were found to come
alone: their number is taken to be geometric. In the first hour of a workload nearly everything is new at once: what
counts there is the company that new items keep at births.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from features.keyed_tables import Column, KeyedTable, first_known
from features.kinds import rarity
from features.novelty import Novelty
from features.novelty_rates import LEVELS, YOUNG, keyed
from features.surprising_values import LN2, Subjects

MOST_AT_ONCE = 8  # new items of one window beyond which each says no more than a doubling does
MATURE = 36.0  # windows after which half the surprise of an item new to the workload alone counts
KNOWN_SHARE = 0.5  # share of a rare but known item's bits that counts
ALONE = 0.5  # rate, and chance of company, of what neither workload nor cohort nor fleet says anything of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Met:
    """Items that windows met, n in all.

    Parameters
    ----------
    row, start
        Row and start of the window, shape (n,); `start` in microseconds since 1970.
    feature, item
        What was met.
    """

    row: NDArray[np.intp]
    start: NDArray[np.int64]
    feature: Column
    item: Column

    def __getitem__(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Met":
        return Met(self.row[rows], self.start[rows], self.feature[rows], self.item[rows])


@dataclass(frozen=True, eq=False)
class Novelties:
    """Evidence of n items.

    Parameters
    ----------
    level
        A key of `features.novelty.NEW_TO`, shape (n,).
    known
        How many items of the feature the workload knows, shape (n,).
    bits
        At least 0, shape (n,).
    """

    level: NDArray[np.int64]
    known: NDArray[np.int64]
    bits: Floats


def surprise(met: Met, who: Subjects, expected: Novelty) -> Novelties:
    """Give the evidence of every item of every window.

    Parameters
    ----------
    met
        From the end of the baseline on: earlier windows of the same item lower its evidence.
    who
        Whose window each item was met in.
    expected
        What is normal.
    """
    of, feature, item = expected.by_key, met.feature, met.item
    own = of["rates"].find(who.workload, feature)
    windows, items = (of["rates"].take(name, own) for name in ("windows", "items"))
    newborn = np.isnan(windows) & _within_first_hour(met.start, who.workload)
    windows = np.nan_to_num(windows)
    known = of["known"].find(who.workload, feature, item)
    related = of["by_image"].find(who.image_repository, feature, item) >= 0
    related |= of["by_cohort"].find(who.cohort, feature, item) >= 0
    fleet = of["by_fleet"].find(feature, item) >= 0
    level = np.where(known >= 0, 0, np.where(related, 1, np.where(fleet, 2, 3)))
    ancestors = (
        ("", "rates", own),
        ("cohort_", "cohort_rates", of["cohort_rates"].find(who.cohort, feature)),
        ("fleet_", "fleet_rates", of["fleet_rates"].find(feature)),
    )

    def nearest(name: str) -> Floats:
        return first_known(
            *(of[table].take(prefix + name, rows) for prefix, table, rows in ancestors), np.full(len(level), ALONE)
        )

    rates = [nearest(f"p{step}") for step in LEVELS]
    births = of["at_birth"].find(feature)
    company = [np.where(newborn, of["at_birth"].take(f"birth_q{step}", births), nearest(f"q{step}")) for step in LEVELS]
    maturity = windows / (windows + MATURE)
    share = np.minimum(rates[0] + of["known"].take("as_rare", known) / np.maximum(windows, 1), 1.0)
    one, two, three = (-(np.log(rate) / LN2) for rate in rates)
    one = maturity * one
    two = np.maximum(one, (0.5 + 0.5 * maturity) * two)
    alone = np.choose(level, (-KNOWN_SHARE * (np.log(share) / LN2), one, two, np.maximum(two, three)))
    together = np.choose(np.maximum(level, 1) - 1, company)
    bits = _together(alone, together, met, who.workload, level)
    strange = np.flatnonzero((level > 0) & (alone > 0))
    bits[strange] += rarity(feature[strange], item[strange], of["kinds"], of["kind_totals"])
    bits = np.maximum(bits, 0.0)
    bits[_without_key(feature, item, of["keys"])] = 0.0
    return Novelties(level, np.nan_to_num(items).astype(np.int64), bits)


def _within_first_hour(start: NDArray[np.int64], workload: Column) -> NDArray[np.bool_]:
    first = np.full(len(workload.distinct), np.iinfo(np.int64).max)
    np.minimum.at(first, workload.places, start)
    return np.asarray(start < first[workload.places] + YOUNG // timedelta.resolution)


def _together(alone: Floats, together: Floats, met: Met, workload: Column, level: NDArray[np.int64]) -> Floats:
    """Lower the bits of new items that stayed, and raise those of new items that did not come alone.

    Parameters
    ----------
    alone
        Bits of each item as if it was met once and alone.
    together
        Chance that an item as new does not come alone.
    """
    bits, new = alone.copy(), np.flatnonzero(level)
    met = met[new]
    at_once = _sizes(met.row, met.feature.places, level[new])
    few = np.minimum(at_once, MOST_AT_ONCE)
    again = _ranks(met.start, workload.places[new], met.feature.places, met.item.places)
    burst = -(few - 1) * (np.log(together[new]) / LN2) + np.log(at_once / few) / LN2
    bits[new] = bits[new] - np.log(again) / LN2 + burst
    return bits


def _groups(*keys: NDArray[np.int64]) -> NDArray[np.intp]:
    """Give rows with equal keys the number of their group, shape (n,)."""
    order = np.lexsort(keys)
    numbers = np.empty(len(order), np.intp)
    numbers[order] = np.cumsum(_differs(*(key[order] for key in keys)))
    return numbers


def _differs(*ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell the rows that differ from the one before, shape (n,); the first does not."""
    return np.asarray(np.logical_or.reduce([np.diff(key, prepend=key[:1]) != 0 for key in ordered]))


def _sizes(*keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the number of rows in each row's group, shape (n,)."""
    groups = _groups(*keys)
    return np.bincount(groups)[groups]


def _ranks(of: NDArray[np.int64], *keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank values within each row's group, equal ones alike and without gaps, from 1 on, shape (n,)."""
    groups = _groups(*keys)
    order = np.lexsort((of, groups))
    steps = np.cumsum(_differs(of[order], groups[order]))
    first = np.maximum.accumulate(np.where(_differs(groups[order]), steps, 0))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = steps - first + 1
    return ranks


def _without_key(feature: Column, item: Column, keys: KeyedTable) -> NDArray[np.intp]:
    """Find the items of keyed features whose key is not known with any value."""
    asked = np.array([name in keyed() for name in feature.distinct], np.bool_)
    rows = np.flatnonzero(asked[feature.places])
    first = Column([item.distinct[place].partition(" ")[0] for place in item.places[rows]], np.arange(len(rows)))
    return rows[keys.find(feature[rows], first) < 0]
