"""What kind of thing a new item is: a new memory limit is met every week, a new capability hardly ever.

The kind of an item is the part of it that its feature declares: the field of a setting, the program of a command, the
port of an edge. A new item is the more surprising the rarer its kind is among the items that the fleet met, those of
its first days included: what everyone has had from the start is no rare kind, though it seldom changes.
"""

from collections.abc import Collection

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.keyed_tables import Column, KeyedTable
from features.protocols import specs

UNSEEN = 1.0  # items of a kind that nobody met yet, over all such kinds


def kind(among: Collection[str] | None = None) -> pl.Expr:
    """Give the kind of `item` of `feature`; null for features that declare none.

    Parameters
    ----------
    among
        Features that there are; of the others no pattern is tried.
    """
    found = pl.lit(None, pl.String)
    for name, spec in specs().items():
        if spec.kind_of and (among is None or name in among):
            found = pl.when(pl.col("feature") == name).then(pl.col("item").str.extract(spec.kind_of)).otherwise(found)
    return found.alias("kind")


def rarities(met: pl.DataFrame) -> pl.DataFrame:
    """Learn how rare each kind is among what workloads met.

    Parameters
    ----------
    met
        `workload, feature, item, first_seen`: items when a workload met them first. Those of one kind that a window of
        a workload met together count once.

    Returns
    -------
    `feature, kind, as_rare, met`: items met of kinds at most as frequent, and of all kinds of the feature.
    """
    counted = (
        met.with_columns(kind())
        .drop_nulls("kind")
        .unique(["workload", "feature", "kind", "first_seen"])
        .group_by("feature", "kind")
        .agg(pl.len().cast(pl.Int64).alias("windows"))
    )
    return (
        as_rare(counted, ["feature"])
        .select("feature", "kind", "as_rare", pl.col("windows").sum().over("feature").alias("met"))
        .sort("feature", "kind")
    )


def as_rare(counted: pl.DataFrame, by: list[str], count: str = "windows") -> pl.DataFrame:
    """Add to each row, within its group of `by`, the sum of `count` over all rows that have at most as much."""
    mass = (
        counted.group_by(*by, count)
        .agg((pl.len() * pl.col(count).first()).alias("mass"))
        .sort(*by, count)
        .select(*by, count, pl.col("mass").cum_sum().over(by).alias("as_rare"))
    )
    return counted.join(mass, on=[*by, count], how="left", maintain_order="left")


def rarity(feature: Column, item: Column, kinds: KeyedTable, totals: KeyedTable) -> NDArray[np.float64]:
    """Give the bits that the kind of each new item adds to its surprise: at least 0, and 0 where none is declared.

    The chance that an item is of a kind as rare as this, with `UNSEEN` items of kinds not met so far.

    Parameters
    ----------
    feature, item
        The new items, n of them.
    kinds, totals
        What `rarities` learnt, by feature and kind, and by feature.

    Returns
    -------
    Shape (n,).
    """
    if not len(item.places):
        return np.zeros(0)
    met = {feature.distinct[place] for place in np.unique(feature.places)}
    items = pl.DataFrame({"feature": feature.texts(), "item": item.texts()})
    own = Column.of(items.select(kind(met)).to_series())
    rare = np.nan_to_num(kinds.take("as_rare", kinds.find(feature, own))) + UNSEEN
    all_met = np.nan_to_num(totals.take("met", totals.find(feature))) + UNSEEN
    return np.where(own.places < 0, 0.0, -(np.log(rare / all_met) / np.log(2)))
