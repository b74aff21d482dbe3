"""Ways from evidence to one number per window; higher is stranger. The first is what the detector does."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from sklearn.neighbors import NearestNeighbors

from benchmarks.ablation.estates import Estate, Matrix, Part
from features.protocols import specs
from models.aggregates import groups
from models.calibration import TailCalibration
from models.cohort_forests import CohortForests
from models.forest import COHORT_TREES, ENOUGH, fit_forest

Reading = Literal["believed", "claimed", "alone"]
Vectors = Callable[[Part], Matrix]
GROUP = np.array([groups().index(spec.group) for spec in specs().values()])
REFERENCES = 300  # windows of a cohort that neighbours are sought among
NEIGHBOURS = 5


def by_group(bits: Matrix, rest: float = 0.0) -> Matrix:
    """Give the strongest evidence of each group, (n, groups), and add `rest` times the second strongest of it."""
    ordered = [np.sort(bits[:, group == GROUP], axis=1)[:, ::-1] for group in range(len(groups()))]
    return np.column_stack([own[:, 0] + rest * own[:, 1:2].sum(axis=1) for own in ordered])


def strongest(
    count: int = 2, rest: float = 0.0, *, of: Literal["believed", "claimed", "alone"] = "believed"
) -> Vectors:
    """Give the so many strongest groups of each window, descending."""
    return lambda part: -np.sort(-by_group(getattr(part, of), rest), axis=1)[:, :count]


def sloped(part: Part) -> Matrix:
    """Add two oblique columns to the two strongest, so that a forest can split along sums."""
    two = strongest()(part)
    return np.column_stack([two, two.sum(axis=1), two @ [1.0, 0.5]])


def calibrated(estate: Estate, fitted: Matrix, scored: Matrix) -> Matrix:
    calibration = TailCalibration.fit(fitted, estate.held_out.cohorts)
    return calibration.bits(scored, estate.watched.cohorts)


def summed(estate: Estate, *weights: float, vectors: Vectors | None = None) -> Matrix:
    """Calibrate the strongest groups, weighted and added up."""
    of = vectors or strongest(len(weights))
    return calibrated(estate, of(estate.held_out) @ weights, of(estate.watched) @ weights)


def excess(estate: Estate, least: float) -> Matrix:
    """Calibrate a sum over all groups of what exceeds `least` bits, as Fisher adds logarithms of p-values."""
    fitted, scored = (
        np.maximum(by_group(part.believed) - least, 0.0).sum(axis=1) for part in (estate.held_out, estate.watched)
    )
    return calibrated(estate, fitted, scored)


def forests(
    estate: Estate, *, seed: int, vectors: Vectors | None = None, enough: int = ENOUGH, **settings: float
) -> Matrix:
    """Calibrate the scores of forests of cohorts with `enough` windows, and of the fleet's for the others."""
    of = vectors or strongest()
    held, cohorts = of(estate.held_out), estate.held_out.cohorts
    fleet = fit_forest(held, seed=seed, **settings)
    own = {
        str(name): fit_forest(held[cohorts == name], seed=seed, **({"n_trees": COHORT_TREES} | settings))
        for name in np.unique(cohorts)
        if np.count_nonzero(cohorts == name) >= enough
    }
    fitted = CohortForests(fleet, own)
    return calibrated(estate, fitted.score(held, cohorts), fitted.score(of(estate.watched), estate.watched.cohorts))


def neighbours(estate: Estate) -> Matrix:
    """Calibrate the mean distance to the nearest of a few hundred held-out windows of the same cohort."""
    random, of = np.random.default_rng(0), strongest()
    held, cohorts = of(estate.held_out), estate.held_out.cohorts
    parts = [(held, cohorts), (of(estate.watched), estate.watched.cohorts)]
    scores = [np.zeros(len(rows)) for rows, _ in parts]
    for name in np.unique(np.concatenate([names for _, names in parts])):
        own = np.flatnonzero(cohorts == name)
        among = own if len(own) > REFERENCES else np.arange(len(held))
        near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(held[random.choice(among, min(REFERENCES, len(among)))])
        for (rows, names), found in zip(parts, scores, strict=True):
            if (names == name).any():
                found[names == name] = near.kneighbors(rows[names == name])[0].mean(axis=1)
    return calibrated(estate, *scores)


def variants(estate: Estate, seed: int) -> Iterator[tuple[str, Matrix]]:
    """Score the watched windows in every way."""
    own, fleet = forests(estate, seed=seed), forests(estate, seed=seed, enough=10**9)
    two, three = summed(estate, 1.0, 0.5), summed(estate, 1.0, 0.5, 0.25)
    near = neighbours(estate)

    def with_sum(**settings: float) -> Matrix:
        return (forests(estate, seed=seed, **settings) + two) / 2

    word = strongest(of="claimed")
    yield "chosen: mean of forests of cohorts and sum", (own + two) / 2
    yield "larger of the two", np.maximum(own, two)
    yield "smaller of the two", np.minimum(own, two)
    yield "fleet forest and sum, mean", (fleet + two) / 2
    yield "fleet forest and sum, larger (before)", np.maximum(fleet, two)
    yield "forests of cohorts alone", own
    yield "fleet forest alone", fleet
    yield "sum alone: strongest and half the second", two
    yield "sum: strongest alone", summed(estate, 1.0)
    yield "sum: both in full", summed(estate, 1.0, 1.0)
    yield "sum: and a quarter of the third", three
    yield "sum: within a group half the second added", summed(estate, 1.0, 0.5, vectors=strongest(2, 0.5))
    yield "sum: over groups, beyond 3 bits (Fisher)", excess(estate, 3.0)
    yield "sum: not calibrated by cohort", strongest()(estate.watched) @ [1.0, 0.5]
    yield "chosen, and a quarter of the third in the sum", (own + three) / 2
    yield (
        "chosen, evidence at its word",
        (forests(estate, seed=seed, vectors=word) + summed(estate, 1.0, 0.5, vectors=word)) / 2,
    )
    alone = strongest(of="alone")
    yield (
        "chosen, each window for itself",
        (forests(estate, seed=seed, vectors=alone) + summed(estate, 1.0, 0.5, vectors=alone)) / 2,
    )
    yield "chosen, and neighbours: mean of three", (own + two + near) / 3
    yield "neighbours alone", near
    yield "chosen, forests from 1,000 windows", with_sum(enough=1000)
    yield "chosen, forests from 4,000 windows", with_sum(enough=4000)
    yield "chosen, forests of the three strongest", (forests(estate, seed=seed, vectors=strongest(3)) + two) / 2
    yield "chosen, forests of all groups", (forests(estate, seed=seed, vectors=strongest(len(groups()))) + two) / 2
    yield "chosen, forests with oblique columns", (forests(estate, seed=seed, vectors=sloped) + two) / 2
    yield "chosen, 256 rows a tree", with_sum(max_samples=256)
    yield "chosen, 1,024 rows a tree", with_sum(max_samples=1024)
    yield "chosen, 16,384 rows a tree", with_sum(max_samples=16_384)
    yield "chosen, nothing exaggerated", with_sum(exaggerated=0.0)
    yield "chosen, 30 % exaggerated", with_sum(exaggerated=0.3)
    yield "chosen, 50 trees", with_sum(n_trees=50)
    yield "chosen, 400 trees", with_sum(n_trees=400)
    yield "peer: default IsolationForest on raw values", estate.peer
