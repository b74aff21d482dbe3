from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from models.forest import compile_forest, exaggerate, fit_forest

Floats = NDArray[np.float64]

GROUPS = 5


def evidence(n: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.exponential(1.44, (n, GROUPS)) * (rng.random((n, GROUPS)) < 0.5)


def test_same_seed_gives_the_same_forest() -> None:
    """A fit is repeatable, and another seed gives another forest."""
    rows = evidence(3_000)
    one, two, other = (fit_forest(rows, seed=seed, n_trees=10).arrays() for seed in (7, 7, 8))
    assert all((one[name] == two[name]).all() for name in one)
    assert any(not np.array_equal(one[name], other[name]) for name in one)


def test_it_is_the_forest_that_scikit_learn_grows() -> None:
    """Trees grown on drawn rows alone differ from those of `IsolationForest` as two of its seeds do."""
    rows, asked = evidence(6_000), evidence(2_000, seed=1)
    ours = fit_forest(rows, seed=0, exaggerated=0.0, max_samples=1_000)
    theirs = [
        compile_forest(IsolationForest(n_estimators=200, max_samples=1_000, random_state=seed).fit(np.float32(rows)))
        for seed in (1, 2)
    ]
    scores = [forest.score(asked) for forest in (ours, *theirs)]
    apart, by_chance = (np.abs(one - two).mean() for one, two in pairwise(scores))

    assert apart < 1.5 * by_chance


def test_rows_beyond_what_trees_can_draw_are_sampled_repeatably() -> None:
    """More rows than the trees can see are thinned out, the same way every time."""
    rows = evidence(5_000)
    one, two = (fit_forest(rows, seed=0, n_trees=3, max_samples=64).arrays() for _ in range(2))
    assert all((one[name] == two[name]).all() for name in one)
    assert one["samples"][:3].tolist() == [64, 64, 64]


def test_stronger_evidence_is_stranger_beyond_the_training_range() -> None:
    """Evidence above everything seen in training still ranks by strength: exaggerated rows draw splits out there."""
    rows = evidence(20_000)
    strongest = rows.max()
    asked = np.zeros((3, GROUPS))
    asked[:, 2] = strongest * np.array([0.2, 0.9, 2.5])
    forest = fit_forest(rows, seed=0)
    weak, strong, beyond = forest.score(asked)
    assert weak < strong < beyond
    assert beyond > np.quantile(forest.score(rows), 0.999)


def test_exaggerated_rows_are_resamples_times_one_to_four() -> None:
    """Each column comes from a training row times a factor in [1, 4)."""
    made = exaggerate(np.full((10, 3), [1.0, 10.0, 0.0]), 1_000, np.random.default_rng(0))
    assert made.shape == (1_000, 3)
    assert ((made[:, :2] >= [1, 10]) & (made[:, :2] < [4, 40])).all()
    assert made[:, 0].min() < 1.1
    assert made[:, 0].max() > 3.9
    assert (made[:, 2] == 0).all()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_rows_is_enough(n: int) -> None:
    """A forest of one, two or three rows scores without complaint."""
    scores = fit_forest(evidence(n), seed=0, n_trees=5).score(evidence(20, 1))
    assert ((scores > 0) & (scores <= 1)).all()


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (np.zeros((5, 0)), "shape"),
        (np.zeros(7), "shape"),
        (np.zeros((0, GROUPS + 2)), "no evidence"),
        (np.full((5, GROUPS + 2), np.nan), "finite"),
        (np.full((5, GROUPS + 2), np.inf), "finite"),
        (np.full((5, GROUPS + 2), 1e39), "finite"),
    ],
)
def test_unusable_evidence_is_refused(rows: Floats, match: str) -> None:
    """Wrong shapes, no rows and numbers that no tree can split on are said plainly."""
    with pytest.raises(ValueError, match=match):
        fit_forest(rows, seed=0)
