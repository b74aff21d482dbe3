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

import polars as pl

from features.baselines import Baseline
from features.kinds import as_rare, rarities, rarity
from features.novelty_rates import (
    KEYS,
    LEVELS,
    YOUNG,
    at_birth,
    company,
    key,
    keyed,
    lives,
    novel,
    shrunk,
)
from features.windows import KEY

MOST_AT_ONCE = 8  # new items of one window beyond which each says no more than a doubling does
MATURE = 36.0  # windows after which half the surprise of an item new to the workload alone counts
KNOWN_SHARE = 0.5  # share of a rare but known item's bits that counts
NEW_TO = {0: "known", 1: "new to this workload", 2: "new to its project", 3: "new to the whole fleet"}


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


def expect(baseline: Baseline) -> Novelty:
    """Turn a baseline's item sets into expectations."""
    facts = baseline.workloads.select("workload", "cohort", "image_repository")
    items = baseline.items.join(facts, on="workload")
    met = (
        lives(baseline).drop("counted_since").join(novel(baseline, items), on=KEYS, how="left").fill_null(0).sort(KEYS)
    )
    sums = [*(f"novel{s}" for s in LEVELS), *(f"items{s}" for s in LEVELS), "later"]
    fleet = (
        met.group_by("feature", maintain_order=True)  # sums of floats: in the same order each time
        .agg(pl.col(sums).sum())
        .sort("feature")
        .with_columns(
            *(((pl.col(f"novel{s}") + 0.5) / (pl.col("later") + 1)).clip(upper_bound=1).alias(f"p{s}") for s in LEVELS),
            *(company(s, pl.lit(0.5)).alias(f"q{s}") for s in LEVELS),
        )
    )
    members = met.group_by("cohort", "feature", maintain_order=True).agg(pl.col(sums).sum())
    cohorts = shrunk(members.sort("cohort", "feature"), fleet, ["feature"])
    rates = shrunk(met, cohorts, ["cohort", "feature"])
    counts = items.group_by(KEYS).agg(pl.len().alias("items"))
    known = [f"{name}{s}" for name in "pq" for s in LEVELS]
    return Novelty(
        as_rare(baseline.items, KEYS, "weight").select(*KEYS, "item", pl.col("weight").alias("times"), "as_rare"),
        items.filter(pl.col("image_repository").is_not_null()).select("image_repository", "feature", "item").unique(),
        items.select("cohort", "feature", "item").unique(),
        items.group_by("feature", "item").agg(pl.len().alias("workloads")),
        items.filter(pl.col("feature").is_in(keyed())).select("feature", key()).unique(),
        rates.join(counts, on=KEYS, how="left").select(*KEYS, "windows", "items", *known),
        cohorts.select("cohort", "feature", *(pl.col(name).alias(f"cohort_{name}") for name in known)),
        fleet.select("feature", *(pl.col(name).alias(f"fleet_{name}") for name in known)),
        at_birth(baseline, items, fleet),
        rarities(items),
    )


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
    together = pl.when(pl.col("level") == 1).then("q1").when(pl.col("level") == LEVELS[1]).then("q2").otherwise("q3")
    few = at_once.clip(upper_bound=MOST_AT_ONCE)
    burst = -(few - 1) * together.log(2) + (at_once / few).log(2)
    of_kind = pl.when(bits > 0).then(rarity(found, expected.kinds)).otherwise(0.0)
    bits = pl.when(pl.col("level") == 0).then(bits).otherwise(bits - met_again.log(2) + burst + of_kind)
    found = found.with_columns(bits.clip(lower_bound=0).alias("bits"), key())
    known_key = expected.keys.with_columns(yes.alias("has_key"))
    found = found.join(known_key, on=["feature", "key"], how="left").with_columns(
        pl.when(pl.col("feature").is_in(keyed()) & pl.col("has_key").is_null())
        .then(0.0)
        .otherwise("bits")
        .alias("bits")
    )
    return found.select("row", "feature", "item", "level", "items", "bits").sort("row", "feature", "item")


def _nearest(name: str) -> pl.Expr:
    """Take what is known of the workload, else of its cohort, else of the fleet."""
    return pl.coalesce(name, f"cohort_{name}", f"fleet_{name}", pl.lit(0.5))
