"""Attribution: the forest's path lengths, credited to the features that supplied what it saw."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.protocols import specs
from models.aggregates import aggregate
from models.attribution import attribute, suppliers
from models.cohort_forests import CohortForests
from models.flat_forest import FlatForest
from models.forest import fit_forest


def evidence(seed: int, rows: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.exponential(4, (rows, len(specs()))) * (random.random((rows, len(specs()))) < 0.1)


@pytest.fixture(scope="module")
def forest() -> FlatForest:
    return fit_forest(aggregate(evidence(0, 2_000)), seed=0)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_credits_add_up_to_the_path_that_is_scored(forest: FlatForest, seed: int) -> None:
    """Expected path length less all credits is the path length that the score is made of."""
    believed = evidence(seed, 5)

    attributions = attribute(CohortForests(forest, {}), believed, np.full(5, "shop"))
    for told, score in zip(attributions, forest.score(aggregate(believed)), strict=True):
        assert told.path_length == pytest.approx(told.expected_path_length - sum(told.credit.values()), abs=1e-9)
        assert score == pytest.approx(np.exp2(-told.path_length * forest.trees.count / forest._scale))


@given(seed=st.integers(0, 10_000))
def test_credit_goes_to_whoever_supplied_the_evidence(seed: int) -> None:
    """The evidence of the suppliers, in their order, is what the forest sees, and each is of another group."""
    believed = evidence(seed, 20)
    vectors, places = aggregate(believed), suppliers(believed)

    supplied = np.take_along_axis(believed, places, axis=1)
    assert (supplied[:, : vectors.shape[1]] == vectors).all()
    groups = [spec.group for spec in specs().values()]
    assert all(len({groups[column] for column in row}) == len(row) for row in places)


def test_the_strange_feature_gets_the_credit(forest: FlatForest) -> None:
    """One loud feature in a silent window shortens the path, and is named for it."""
    believed = np.zeros((1, len(specs())))
    believed[0, 7] = 60.0

    (told,) = attribute(CohortForests(forest, {}), believed, np.array(["shop"]))

    name = list(specs())[7]
    assert told.credit[name] == max(told.credit.values())
    assert told.credit[name] > 0


def test_a_window_is_attributed_by_the_forest_of_its_cohort(forest: FlatForest) -> None:
    """A cohort with a forest of its own is told by that one, any other by the fleet's, in the order given."""
    other = fit_forest(aggregate(evidence(1, 500)), seed=1, n_trees=50)
    believed = evidence(2, 3)

    told = attribute(CohortForests(forest, {"ci": other}), believed, np.array(["shop", "ci", "shop"]))

    assert [one.expected_path_length for one in told] == [each.expected_path_length for each in (forest, other, forest)]
