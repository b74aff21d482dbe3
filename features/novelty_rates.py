"""How often a workload meets something new, and how much of it at once: learnt from when its items were first seen."""

from datetime import timedelta

import numpy as np
import polars as pl

from features.baselines import HALF_LIFE, Baseline
from features.events import TIME
from features.gamma_poisson import fit_shape, posterior_mean
from features.protocols import specs

BURST_WEIGHT = 10.0  # items that the fleet's habit of coming in company counts for
YOUNG = timedelta(hours=1)  # a workload's first hour
RECENT = timedelta(days=15)  # further back new items are not counted
SETTLED = timedelta(days=1)  # of a baseline, before which a workload that is first seen may be an old one
LEVELS = (1, 2, 3)
KEYS = ["workload", "feature"]


def key() -> pl.Expr:
    """Give the first word of `item`."""
    return pl.col("item").str.split(" ").list.first().alias("key")


def keyed() -> list[str]:
    """List the features whose items are only surprising if their key is known."""
    return [name for name, spec in specs().items() if spec.keyed]


def item_features() -> list[str]:
    """List the features of kind `items`."""
    return [name for name, spec in specs().items() if spec.kind == "items"]


def novel(baseline: Baseline, items: pl.DataFrame) -> pl.DataFrame:
    """Count, per workload and feature, the later windows in which it met an item new at each level.

    Here the middle level is new to the cohort alone; that a sibling of the same image may know an item only lowers what
    is judged, so the rate is if anything too high and the evidence too low.
    """
    known_key = pl.col("first_seen") > pl.col("first_seen").min().over("feature", "key")
    told = (
        items.with_columns(key())
        .with_columns(_level_when_met(), known_key.alias("known_key"))
        .filter(~pl.col("feature").is_in(keyed()) | pl.col("known_key"))
    )
    later = told.join(lives(baseline), on=KEYS).filter(pl.col("first_seen") >= pl.col("counted_since"))
    return _counted(later, KEYS)


def lives(baseline: Baseline) -> pl.DataFrame:
    """Give from when new items of each workload and feature are counted, and how many windows there were since.

    Windows are known by their decayed weight: a workload of L days that speaks evenly, r windows a day, weighs
    r H (1 - 2^(-L/H)) / ln 2 with the half-life H, which gives r.

    Returns
    -------
    `workload, cohort, feature, windows, counted_since, later`; `windows` is the workload's weight.
    """
    born, until = pl.col("first_seen"), pl.lit(baseline.until, TIME)
    life = (until - born).dt.total_microseconds() / (HALF_LIFE / timedelta.resolution)  # half-lives
    middle = pl.max_horizontal(born + (until - born) / 2, until - RECENT)
    counted = (until - pl.col("counted_since")).dt.total_microseconds() / (HALF_LIFE / timedelta.resolution)
    return (
        baseline.workloads.join(pl.DataFrame({"feature": item_features()}), how="cross")
        .join(baseline.forgotten, on=KEYS, how="left", maintain_order="left")
        .with_columns(
            pl.max_horizontal(middle, pl.col("since") + timedelta.resolution).alias("counted_since"),
            (pl.col("weight") * np.log(2) / (1 - pl.lit(2.0).pow(-life))).alias("a_half_life"),
        )
        .select(
            "workload",
            "cohort",
            "feature",
            pl.col("weight").alias("windows"),
            "counted_since",
            (pl.col("a_half_life") * counted).alias("later"),
        )
    )


def _level_when_met() -> pl.Expr:
    """Give how new an item of a baseline was, of `LEVELS`, when its workload met it first."""
    own = pl.col("first_seen")
    to_cohort, to_fleet = (own <= own.min().over(*who, "feature", "item") for who in (["cohort"], []))
    return (1 + to_cohort.cast(pl.Int32) + to_fleet.cast(pl.Int32)).alias("level")


def _counted(novel: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Count, per level, the windows that met anything as new (`novel1` to `novel3`), and the items (`items1` ...)."""
    return (
        novel.group_by(*KEYS, "first_seen")
        .agg(*((pl.col("level") >= step).sum().alias(f"items{step}") for step in LEVELS))
        .group_by(keys)
        .agg(
            *((pl.col(f"items{step}") > 0).sum().alias(f"novel{step}") for step in LEVELS),
            *(pl.col(f"items{step}").sum() for step in LEVELS),
        )
    )


def at_birth(baseline: Baseline, items: pl.DataFrame, fleet: pl.DataFrame) -> pl.DataFrame:
    """Give how often a new item does not come alone in the first hour of the workloads born within the baseline."""
    own = pl.col("first_seen")
    born = baseline.workloads.filter(own >= baseline.since + SETTLED).select("workload", own.alias("born"))
    young = items.with_columns(_level_when_met()).join(born, on="workload").filter(own < pl.col("born") + YOUNG)
    usual = fleet.select("feature", *(f"q{step}" for step in LEVELS))
    counted = usual.join(_counted(young, ["feature"]), on="feature", how="left", maintain_order="left").fill_null(0)
    return counted.select("feature", *(company(step, pl.col(f"q{step}")).alias(f"birth_q{step}") for step in LEVELS))


def shrunk(members: pl.DataFrame, groups: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Add `p1` to `p3`, how often a member meets something new, and `q1` to `q3`, whether more comes with it."""
    prior = [f"{name}{s}" for name in "pq" for s in LEVELS]
    joined = members.join(
        groups.select(*on, *(pl.col(name).alias(f"prior_{name}") for name in prior)), on=on, maintain_order="left"
    )
    for step in LEVELS:
        shapes = joined.group_by("feature", maintain_order=True).agg(
            pl.struct(pl.col(f"novel{step}"), "later", pl.col(f"prior_p{step}").alias("mean"))
        )
        fitted = [
            fit_shape(own.struct.field(f"novel{step}"), own.struct.field("later"), own.struct.field("mean"))
            for own in shapes.to_series(1)
        ]
        shape = joined.select("feature").join(
            pl.DataFrame({"feature": shapes["feature"], "shape": fitted}), on="feature", maintain_order="left"
        )["shape"]
        novel, later, mean = (
            joined[name].to_numpy().astype(float) for name in (f"novel{step}", "later", f"prior_p{step}")
        )
        joined = joined.with_columns(
            pl.Series(f"p{step}", posterior_mean(novel, later, mean, shape.to_numpy())),
            company(step, pl.col(f"prior_q{step}")).alias(f"q{step}"),
        )
    return joined


def company(step: int, prior: pl.Expr) -> pl.Expr:
    """Give the chance that a new item brings another with it."""
    more = pl.col(f"items{step}") - pl.col(f"novel{step}")
    return (more + BURST_WEIGHT * prior) / (pl.col(f"items{step}") + BURST_WEIGHT)
