"""Whose history an expectation stood on: the workload's own, or the nearest ancestor's that had any."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, Self

import polars as pl

from features.evidence import Normal
from features.magnitudes import MEAN_WEIGHT
from features.surprising_items import MATURE
from models.scores import BaselineInfo, Level

Pair = tuple[str, str]  # of a workload or ancestor, and a feature


class Standing(NamedTuple):
    """Level of back-off, and the share in [0, 1) that the workload's own history has in the expectation."""

    level: Level
    maturity: float


@dataclass(frozen=True)
class Backoff:
    """What each level has learnt.

    Parameters
    ----------
    windows, active
        Windows of workload and feature: lived through, for items, and above zero, for counts and magnitudes.
    cohorts
        Cohorts and features that have rates of new items.
    ancestors
        Levels from the nearest on, each with names and features that have statistics of magnitudes.
    """

    windows: dict[Pair, float]
    active: dict[Pair, float]
    cohorts: AbstractSet[Pair]
    ancestors: dict[Level, AbstractSet[Pair]]

    @classmethod
    def of(cls, normal: Normal) -> Self:
        """Index what is normal."""
        rates, magnitudes = normal.novelty.rates, normal.magnitudes
        columns: dict[Level, str] = {"image": "image_repository", "cohort": "cohort"}
        return cls(
            {(w, f): n for w, f, n in rates.select("workload", "feature", "windows").iter_rows()},
            {(w, f): n for w, f, n in magnitudes.workloads.select("workload", "feature", "active").iter_rows()},
            _pairs(normal.novelty.cohort_rates, "cohort"),
            {level: _pairs(magnitudes.ancestors[column], column) for level, column in columns.items()},
        )

    def of_items(self, feature: str, workload: str, cohort: str, _image: str | None) -> Standing:
        """Say what the rate of new items of a feature stood on."""
        if windows := self.windows.get((workload, feature)):
            return Standing("workload", round(windows / (windows + MATURE), 3))
        return Standing("cohort" if (cohort, feature) in self.cohorts else "fleet", 0.0)

    def of_magnitude(self, feature: str, workload: str, cohort: str, image: str | None) -> Standing:
        """Say what the expected size of a feature stood on."""
        if active := self.active.get((workload, feature)):
            return Standing("workload", round(active / (active + MEAN_WEIGHT), 3))
        names: dict[Level, str | None] = {"image": image, "cohort": cohort}
        for level, name in names.items():
            if (name, feature) in self.ancestors[level]:
                return Standing(level, 0.0)
        return Standing("fleet", 0.0)


def _pairs(table: pl.DataFrame, name: str) -> frozenset[Pair]:
    return frozenset(table.select(name, "feature").iter_rows())


def bases(keys: pl.DataFrame, learnt: pl.DataFrame) -> Iterator[BaselineInfo]:
    """Say of each window of `keys`, given the workloads learnt, which level knows its workload or its like."""
    images, cohorts = set(learnt["image_repository"].drop_nulls()), set(learnt["cohort"])
    joined = keys.join(learnt.select("workload", "windows"), on="workload", how="left", maintain_order="left")
    for row in joined.select("cohort", "image_repository", "windows").iter_rows():
        cohort, image, windows = row
        level: Level = "workload" if windows else "fleet"
        if not windows and image in images:
            level = "image"
        elif not windows and cohort in cohorts:
            level = "cohort"
        count = windows or 0
        yield BaselineInfo(level=level, maturity=round(count / (count + MATURE), 3), windows=count)
