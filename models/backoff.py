"""Whose history an expectation stood on: the workload's own, or the nearest ancestor's that had any."""

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
    learnt
        Windows of each workload.
    images, projects
        Image repositories and cohorts of which any workload is known.
    """

    windows: dict[Pair, float]
    active: dict[Pair, float]
    cohorts: AbstractSet[Pair]
    ancestors: dict[Level, AbstractSet[Pair]]
    learnt: dict[str, int]
    images: AbstractSet[str]
    projects: AbstractSet[str]

    @classmethod
    def of(cls, normal: Normal) -> Self:
        """Index what is normal."""
        rates, magnitudes, workloads = normal.novelty.rates, normal.magnitudes, normal.baseline.workloads
        columns: dict[Level, str] = {"image": "image_repository", "cohort": "cohort"}
        return cls(
            {(w, f): n for w, f, n in rates.select("workload", "feature", "windows").iter_rows()},
            {(w, f): n for w, f, n in magnitudes.workloads.select("workload", "feature", "active").iter_rows()},
            _pairs(normal.novelty.cohort_rates, "cohort"),
            {level: _pairs(magnitudes.ancestors[column], column) for level, column in columns.items()},
            dict(workloads.select("workload", "windows").iter_rows()),
            frozenset(workloads["image_repository"].drop_nulls()),
            frozenset(workloads["cohort"]),
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

    def base(self, workload: str, cohort: str, image: str | None) -> BaselineInfo:
        """Say which level knows a workload or its like."""
        count = self.learnt.get(workload, 0)
        level: Level = "workload" if count else "fleet"
        if not count and image in self.images:
            level = "image"
        elif not count and cohort in self.projects:
            level = "cohort"
        return BaselineInfo(level=level, maturity=round(count / (count + MATURE), 3), windows=count)


def _pairs(table: pl.DataFrame, name: str) -> frozenset[Pair]:
    return frozenset(table.select(name, "feature").iter_rows())
