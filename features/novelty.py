"""How surprising it is to meet an item (a destination, a registry, a setting), in bits.

Meeting something new is judged by how often this workload meets anything as new as that: new to itself, new to its
image's and cohort's other workloads too, or new to the whole fleet. The three are nested events, each with a rate per
window of the workload, learnt in the later half of the workload's life (in the first half everything is new), at most
the last `RECENT` days of it, and shrunk towards the cohort and the fleet by as much as their members were found to be
alike (`gamma_poisson`). A crawler that meets new domains all day is not surprised by one more. A known item is judged
by the share of windows that met one as rare as it. An item that stays is met again: at its (k+1)-th
window since the baseline ended it is k + 1 times less surprising. Several new items in one window are rarer than one,
by as much as new items were found to come alone: their number is taken to be geometric. In the first hour of a
workload nearly everything is new at once: what counts there is the company that new items keep at births.
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from features.baselines import HALF_LIFE, Baseline
from features.events import TIME
from features.gamma_poisson import fit_shape, posterior_mean
from features.kinds import as_rare, rarities, rarity
from features.protocols import specs
from features.windows import KEY

MOST_AT_ONCE = 8  # new items of one window beyond which each says no more than a doubling does
BURST_WEIGHT = 10.0  # items that the fleet's habit of coming in company counts for
YOUNG = timedelta(hours=1)  # a workload's first hour
RECENT = timedelta(days=15)  # further back new items are not counted
SETTLED = timedelta(days=1)  # of a baseline, before which a workload that is first seen may be an old one
MATURE = 36.0  # windows after which half the surprise of an item new to the workload alone counts
KNOWN_SHARE = 0.5  # share of a rare but known item's bits that counts
LEVELS = (1, 2, 3)
NEW_TO = {0: "known", 1: "new to this workload", 2: "new to its project", 3: "new to the whole fleet"}
KEYS = ["workload", "feature"]


@dataclass(frozen=True)
class Novelty:
    """Expectations for items, made from a baseline.

    Parameters
    ----------
    known
        `workload, feature, item, windows, as_rare`: items of each workload and the windows that met one as rare.
    by_image, by_cohort, by_fleet
        Which items the ancestors know, with the number of workloads that do in `by_fleet`.
    keys
        `feature, key`: first words of items of keyed features.
    rates
        `workload, feature, windows, items, p1, p2, p3, q1, q2, q3`: `p` is the rate of windows that meet something as
        new, `q` the chance that it does not come alone.
    cohort_rates, fleet_rates
        The same for workloads without history.
    at_birth
        `feature, birth_q1, birth_q2, birth_q3`: `q` in the first hour of a workload.
    kinds
        How rare each kind of new item is, see `features.kinds.rarities`.
    """

    known: pl.DataFrame
    by_image: pl.DataFrame
    by_cohort: pl.DataFrame
    by_fleet: pl.DataFrame
    keys: pl.DataFrame
    rates: pl.DataFrame
    cohort_rates: pl.DataFrame
    fleet_rates: pl.DataFrame
    at_birth: pl.DataFrame
    kinds: pl.DataFrame


def _key() -> pl.Expr:
    return pl.col("item").str.split(" ").list.first().alias("key")


def _keyed() -> list[str]:
    return [name for name, spec in specs().items() if spec.keyed]


def _features() -> list[str]:
    return [name for name, spec in specs().items() if spec.kind == "items"]


def _novel(baseline: Baseline, items: pl.DataFrame) -> pl.DataFrame:
    """Count, per workload and feature, the later windows in which it met an item new at each level.

    Here the middle level is new to the cohort alone; that a sibling of the same image may know an item only lowers what
    is judged, so the rate is if anything too high and the evidence too low.
    """
    known_key = pl.col("first_seen") > pl.col("first_seen").min().over("feature", "key")
    told = (
        items.with_columns(_key())
        .with_columns(_level_when_met(), known_key.alias("known_key"))
        .filter(~pl.col("feature").is_in(_keyed()) | pl.col("known_key"))
    )
    later = told.join(_lives(baseline), on=KEYS).filter(pl.col("first_seen") >= pl.col("counted_since"))
    return _counted(later, KEYS)


def _lives(baseline: Baseline) -> pl.DataFrame:
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
        baseline.workloads.join(pl.DataFrame({"feature": _features()}), how="cross")
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


def _at_birth(baseline: Baseline, items: pl.DataFrame, fleet: pl.DataFrame) -> pl.DataFrame:
    """Give how often a new item does not come alone in the first hour of the workloads born within the baseline."""
    own = pl.col("first_seen")
    born = baseline.workloads.filter(own >= baseline.since + SETTLED).select("workload", own.alias("born"))
    young = items.with_columns(_level_when_met()).join(born, on="workload").filter(own < pl.col("born") + YOUNG)
    usual = fleet.select("feature", *(f"q{step}" for step in LEVELS))
    counted = usual.join(_counted(young, ["feature"]), on="feature", how="left", maintain_order="left").fill_null(0)
    return counted.select("feature", *(_company(step, pl.col(f"q{step}")).alias(f"birth_q{step}") for step in LEVELS))


def expect(baseline: Baseline) -> Novelty:
    """Turn a baseline's item sets into expectations."""
    facts = baseline.workloads.select("workload", "cohort", "image_repository")
    items = baseline.items.join(facts, on="workload")
    met = (
        _lives(baseline)
        .drop("counted_since")
        .join(_novel(baseline, items), on=KEYS, how="left")
        .fill_null(0)
        .sort(KEYS)
    )
    sums = [*(f"novel{s}" for s in LEVELS), *(f"items{s}" for s in LEVELS), "later"]
    fleet = (
        met.group_by("feature")
        .agg(pl.col(sums).sum())
        .sort("feature")
        .with_columns(
            *(((pl.col(f"novel{s}") + 0.5) / (pl.col("later") + 1)).clip(upper_bound=1).alias(f"p{s}") for s in LEVELS),
            *(_company(s, pl.lit(0.5)).alias(f"q{s}") for s in LEVELS),
        )
    )
    cohorts = _shrunk(
        met.group_by("cohort", "feature").agg(pl.col(sums).sum()).sort("cohort", "feature"), fleet, ["feature"]
    )
    rates = _shrunk(met, cohorts, ["cohort", "feature"])
    counts = items.group_by(KEYS).agg(pl.len().alias("items"))
    known = [f"{name}{s}" for name in "pq" for s in LEVELS]
    return Novelty(
        as_rare(baseline.items, KEYS, "weight").select(*KEYS, "item", pl.col("weight").alias("times"), "as_rare"),
        items.filter(pl.col("image_repository").is_not_null()).select("image_repository", "feature", "item").unique(),
        items.select("cohort", "feature", "item").unique(),
        items.group_by("feature", "item").agg(pl.len().alias("workloads")),
        items.filter(pl.col("feature").is_in(_keyed())).select("feature", _key()).unique(),
        rates.join(counts, on=KEYS, how="left").select(*KEYS, "windows", "items", *known),
        cohorts.select("cohort", "feature", *(pl.col(name).alias(f"cohort_{name}") for name in known)),
        fleet.select("feature", *(pl.col(name).alias(f"fleet_{name}") for name in known)),
        _at_birth(baseline, items, fleet),
        rarities(items),
    )


def _shrunk(members: pl.DataFrame, groups: pl.DataFrame, on: list[str]) -> pl.DataFrame:
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
            _company(step, pl.col(f"prior_q{step}")).alias(f"q{step}"),
        )
    return joined


def _company(step: int, prior: pl.Expr) -> pl.Expr:
    """Give the chance that a new item brings another with it."""
    more = pl.col(f"items{step}") - pl.col(f"novel{step}")
    return (more + BURST_WEIGHT * prior) / (pl.col(f"items{step}") + BURST_WEIGHT)


def surprise(items: pl.DataFrame, rows: pl.DataFrame, facts: pl.DataFrame, expected: Novelty) -> pl.DataFrame:
    """Give the evidence of every item of every window.

    Parameters
    ----------
    items
        `Windows.items`, from the end of the baseline on: earlier windows of the same item lower its evidence.
    rows
        `workload, window_start, row`.
    facts
        `workload, cohort, image_repository`.
    expected
        What is normal.

    Returns
    -------
    `row, feature, item, level` (a key of `NEW_TO`), `items` (how many the workload knows), `bits` (at least 0).
    """
    yes = pl.lit(value=True)
    found = (
        items.join(rows, on=KEY)
        .join(facts, on="workload", how="left")
        .join(expected.known, on=[*KEYS, "item"], how="left")
        .join(
            expected.by_image.with_columns(yes.alias("image_has")),
            on=["image_repository", "feature", "item"],
            how="left",
        )
        .join(expected.by_cohort.with_columns(yes.alias("cohort_has")), on=["cohort", "feature", "item"], how="left")
        .join(expected.by_fleet, on=["feature", "item"], how="left")
        .join(expected.rates, on=KEYS, how="left")
        .join(expected.cohort_rates, on=["cohort", "feature"], how="left")
        .join(expected.fleet_rates, on="feature", how="left")
        .join(expected.at_birth, on="feature", how="left")
    )
    start = pl.col("window_start")
    newborn = pl.col("windows").is_null() & (start < start.min().over("workload") + YOUNG)
    level = (
        pl.when(pl.col("times").is_not_null())
        .then(0)
        .when(pl.col("image_has") | pl.col("cohort_has"))
        .then(1)
        .when(pl.col("workloads").is_not_null())
        .then(2)
        .otherwise(3)
    )
    found = found.with_columns(
        level.alias("level"),
        pl.col("windows", "items").fill_null(0),
        *(_nearest(f"p{s}").alias(f"p{s}") for s in LEVELS),
        *(pl.when(newborn).then(f"birth_q{s}").otherwise(_nearest(f"q{s}")).alias(f"q{s}") for s in LEVELS),
    )
    maturity = pl.col("windows") / (pl.col("windows") + MATURE)
    share = (pl.col("p1") + pl.col("as_rare") / pl.col("windows").clip(lower_bound=1)).clip(upper_bound=1.0)
    one, two, three = (-pl.col(f"p{s}").log(2) for s in LEVELS)
    one = maturity * one
    two = pl.max_horizontal(one, (0.5 + 0.5 * maturity) * two)
    bits = (
        pl.when(pl.col("level") == 0)
        .then(-KNOWN_SHARE * share.log(2))
        .when(pl.col("level") == 1)
        .then(one)
        .when(pl.col("level") == LEVELS[1])
        .then(two)
        .otherwise(pl.max_horizontal(two, three))
    )
    met_again = pl.col("window_start").rank("dense").over(*KEYS, "item")
    at_once = pl.len().over("row", "feature", "level").cast(pl.Float64)
    company = pl.when(pl.col("level") == 1).then("q1").when(pl.col("level") == LEVELS[1]).then("q2").otherwise("q3")
    few = at_once.clip(upper_bound=MOST_AT_ONCE)
    burst = -(few - 1) * company.log(2) + (at_once / few).log(2)
    of_kind = pl.when(bits > 0).then(rarity(found, expected.kinds)).otherwise(0.0)
    bits = pl.when(pl.col("level") == 0).then(bits).otherwise(bits - met_again.log(2) + burst + of_kind)
    found = found.with_columns(bits.clip(lower_bound=0).alias("bits"), _key())
    known_key = expected.keys.with_columns(yes.alias("has_key"))
    found = found.join(known_key, on=["feature", "key"], how="left").with_columns(
        pl.when(pl.col("feature").is_in(_keyed()) & pl.col("has_key").is_null())
        .then(0.0)
        .otherwise("bits")
        .alias("bits")
    )
    return found.select("row", "feature", "item", "level", "items", "bits").sort("row", "feature", "item")


def _nearest(name: str) -> pl.Expr:
    """Take what is known of the workload, else of its cohort, else of the fleet."""
    return pl.coalesce(name, f"cohort_{name}", f"fleet_{name}", pl.lit(0.5))
