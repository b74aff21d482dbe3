"""Evidence: how surprising each window is for its workload, feature by feature, in bits."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features import magnitudes, novelty
from features.baselines import Baseline
from features.identity import cohort
from features.magnitudes import Magnitudes
from features.novelty import Novelty
from features.protocols import specs
from features.windows import KEY, Windows


@dataclass(frozen=True)
class Normal:
    """A baseline with the expectations made from it."""

    baseline: Baseline
    magnitudes: Magnitudes
    novelty: Novelty

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
        What the bits stand on: `row, feature, value, mean, spread, bits`; and `row, feature, item, level, items, bits`,
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
    keys = windows.values.select(KEY)
    facts = _facts(windows, normal.baseline)
    rows = keys.with_row_index("row")
    values = magnitudes.surprise(windows.values, facts, normal.magnitudes)
    items = novelty.surprise(_judged(windows.items), rows, facts, normal.novelty)
    strongest = (
        items.sort("row", "feature", "bits", "item", descending=[False, False, True, False])
        .group_by("row", "feature", maintain_order=True)
        .agg(pl.all().first(), ((pl.col("level") == pl.col("level").max()).sum() - 1).alias("others"))
    )
    bits = np.zeros((len(keys), len(columns())))
    for found in (values, strongest):
        column = found["feature"].replace_strict(columns(), return_dtype=pl.Int64).to_numpy()
        bits[found["row"].to_numpy(), column] = found["bits"].to_numpy()
    return Evidence(
        keys.join(facts, on="workload", how="left", maintain_order="left"),
        np.maximum(bits, 0) * weights(),
        values,
        strongest,
    )


def _judged(items: pl.DataFrame) -> pl.DataFrame:
    """Leave out items of which their window has another feature that is judged instead."""
    instead = {spec.name: spec.instead_of for spec in specs().values() if spec.instead_of}
    replaced = items.filter(pl.col("feature").is_in(list(instead))).with_columns(pl.col("feature").replace(instead))
    return items.join(replaced, on=[*KEY, "feature", "item"], how="anti", maintain_order="left")


def _facts(windows: Windows, baseline: Baseline) -> pl.DataFrame:
    """Name cohort and image of every workload; what the baseline knows, else what the windows say."""
    known = baseline.workloads.select("workload", pl.col("image_repository").alias("learnt"))
    return (
        windows.values.select("workload")
        .unique()
        .join(windows.facts, on="workload", how="left")
        .join(known, on="workload", how="left")
        .with_columns(
            pl.coalesce("learnt", "image_repository").alias("image_repository"),
            pl.col("workload").map_elements(cohort, return_dtype=pl.String).alias("cohort"),
        )
        .select("workload", "cohort", "image_repository")
        .sort("workload")
    )
