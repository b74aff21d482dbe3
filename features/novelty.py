"""What items (destinations, registries, settings) a workload knows, and how often it meets new ones.

Meeting something new is judged by how often this workload meets anything as new as that: new to itself, new to its
image's and cohort's other workloads too, or new to the whole fleet. The three are nested events, each with a rate per
window of the workload, learnt in the later half of the workload's life (in the first half everything is new), at most
the last `RECENT` days of it, and shrunk towards the cohort and the fleet by as much as their members were found to be
alike (`gamma_poisson`). A crawler that meets new domains all day is not surprised by one more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from features.baselines import Baseline
from features.keyed_tables import KeyedTable
from features.kinds import as_rare, rarities
from features.novelty_rates import (
    KEYS,
    LEVELS,
    at_birth,
    company,
    key,
    keyed,
    lives,
    novel,
    shrunk,
)
from features.sums import summed

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

    @cached_property
    def by_key(self) -> Mapping[str, KeyedTable]:
        """Tables by field, to be looked up by key; `kind_totals` is `kinds` by feature alone."""
        return {
            "known": KeyedTable(self.known, *KEYS, "item"),
            "by_image": KeyedTable(self.by_image, "image_repository", "feature", "item"),
            "by_cohort": KeyedTable(self.by_cohort, "cohort", "feature", "item"),
            "by_fleet": KeyedTable(self.by_fleet, "feature", "item"),
            "keys": KeyedTable(self.keys, "feature", "key"),
            "rates": KeyedTable(self.rates, *KEYS),
            "cohort_rates": KeyedTable(self.cohort_rates, "cohort", "feature"),
            "fleet_rates": KeyedTable(self.fleet_rates, "feature"),
            "at_birth": KeyedTable(self.at_birth, "feature"),
            "kinds": KeyedTable(self.kinds, "feature", "kind"),
            "kind_totals": KeyedTable(self.kinds, "feature"),
        }


def expect(baseline: Baseline) -> Novelty:
    """Turn a baseline's item sets into expectations."""
    facts = baseline.workloads.select("workload", "cohort", "image_repository")
    items = baseline.items.join(facts, on="workload")
    met = (
        lives(baseline).drop("counted_since").join(novel(baseline, items), on=KEYS, how="left").fill_null(0).sort(KEYS)
    )
    sums = [*(f"novel{s}" for s in LEVELS), *(f"items{s}" for s in LEVELS), "later"]
    fleet = (
        summed(met, ["feature"], sums)
        .sort("feature")
        .with_columns(
            *(((pl.col(f"novel{s}") + 0.5) / (pl.col("later") + 1)).clip(upper_bound=1).alias(f"p{s}") for s in LEVELS),
            *(company(s, pl.lit(0.5)).alias(f"q{s}") for s in LEVELS),
        )
    )
    members = summed(met, ["cohort", "feature"], sums)
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
