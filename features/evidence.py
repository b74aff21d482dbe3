"""Evidence: how surprising each window is for its workload, feature by feature, in bits."""

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features import magnitudes, novelty, surprising_items, surprising_values
from features.baselines import Baseline
from features.identity import cohort
from features.keyed_tables import Column, Index
from features.magnitudes import Magnitudes
from features.novelty import Novelty
from features.protocols import specs
from features.surprising_items import Met, Novelties
from features.surprising_values import Subjects
from features.windows import KEY, Windows


@dataclass(frozen=True)
class Normal:
    """A baseline with the expectations made from it."""

    baseline: Baseline
    magnitudes: Magnitudes
    novelty: Novelty

    @cached_property
    def images(self) -> dict[str, str | None]:
        """The image repository of each workload that was learnt."""
        return dict(self.baseline.workloads.select("workload", "image_repository").iter_rows())

    @classmethod
    def of(cls, baseline: Baseline) -> "Normal":
        """Prepare a baseline for judging windows."""
        return cls(baseline, magnitudes.expect(baseline), novelty.expect(baseline))


@dataclass(frozen=True)
class Evidence:
    """Evidence of n windows over all features.

    Parameters
    ----------
    keys
        `workload, window_start, cohort, image_repository`, one row per window.
    bits
        Shape (n, features), in the order of `specs()`; at least 0.
    values, items
        What the bits stand on: `row, column, value, mean, spread, bits`; and `row, column, item, level, items, bits`,
        strongest item of each feature, with `others`, the number of further items as new.
    """

    keys: pl.DataFrame
    bits: NDArray[np.float64]
    values: pl.DataFrame
    items: pl.DataFrame


@cache
def columns() -> dict[str, int]:
    """Give the column of each feature in evidence."""
    return {name: column for column, name in enumerate(specs())}


@cache
def weights() -> NDArray[np.float64]:
    """Give the declared trust in each feature, shape (features,), in [0, 1]."""
    return np.array([spec.weight for spec in specs().values()])


def weigh(windows: Windows, normal: Normal) -> Evidence:
    """Weigh windows against what is normal."""
    who = subjects(windows, normal)
    values = surprising_values.surprise(windows.values, who, normal.magnitudes)
    met = met_in(windows, who.workload)
    strongest = _strongest(met, surprising_items.surprise(met, who[met.row], normal.novelty))
    bits = np.zeros((len(windows.values), len(columns())))
    for found in (values, strongest):
        bits[found["row"].to_numpy(), found["column"].to_numpy()] = found["bits"].to_numpy()
    keys = windows.values.select(*KEY, cohort=who.cohort.texts(), image_repository=who.image_repository.texts())
    return Evidence(keys, np.maximum(bits, 0) * weights(), values, strongest)


def subjects(windows: Windows, normal: Normal) -> Subjects:
    """Name cohort and image of every row's workload; what the baseline knows, else what the windows say."""
    workload = Column.of(windows.values["workload"])
    said, learnt = dict(windows.facts.iter_rows()), normal.images
    images = [learnt.get(name) or said.get(name) for name in workload.distinct]
    cohorts = [cohort(name) for name in workload.distinct]
    return Subjects(workload, Column(cohorts, workload.places), Column(images, workload.places))


def met_in(windows: Windows, workload: Column) -> Met:
    """Find what was met in rows of values; of an item with another feature that is judged instead only this.

    Parameters
    ----------
    workload
        Of the rows of `windows.values`.
    """
    items = windows.items
    starts, start = (table["window_start"].cast(pl.Int64).to_numpy() for table in (windows.values, items))
    row = Index([workload, Column.of_numbers(starts)]).find(Column.of(items["workload"]), Column.of_numbers(start))
    met = Met(row, start, Column.of(items["feature"]), Column.of(items["item"]))
    features = {name: place for place, name in enumerate(met.feature.distinct)}
    replaced = np.zeros(len(row), np.bool_)
    for name, spec in specs().items():
        if name in features and spec.instead_of in features:
            own, other = (met.feature.places == features[feature] for feature in (name, spec.instead_of))
            number = row * len(met.item.distinct) + met.item.places
            replaced |= other & np.isin(number, number[own])
    return met[(row >= 0) & ~replaced]


def _strongest(met: Met, found: Novelties) -> pl.DataFrame:
    """Keep the strongest item of each feature of each window, and count the others that are as new."""
    feature, item = met.feature.places, met.item.places
    order = np.lexsort((item, -found.bits, feature, met.row))
    row, feature, level = met.row[order], feature[order], found.level[order]
    first = np.flatnonzero(np.r_[True, (np.diff(row) != 0) | (np.diff(feature) != 0)][: len(row)])
    newest = np.maximum.reduceat(level, first) if len(first) else level
    size = np.diff(np.r_[first, len(row)])
    as_new = np.add.reduceat((level == np.repeat(newest, size)).astype(np.int64), first) if len(first) else level
    kept = order[first]
    return pl.DataFrame(
        {
            "row": met.row[kept].astype(np.uint32),
            "column": np.array([columns()[name] for name in met.feature.distinct], np.intp)[feature[first]],
            "item": met.item[kept].texts(),
            "level": found.level[kept],
            "items": found.known[kept],
            "bits": found.bits[kept],
            "others": as_new - 1,
        }
    )
