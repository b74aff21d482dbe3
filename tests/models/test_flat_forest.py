import importlib.util
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from models.errors import ArtefactError
from models.flat_forest import FlatForest, average_path_length
from models.forest import compile_forest

Floats = NDArray[np.float64]

D = 6
FLOAT32_MAX = float(np.finfo(np.float32).max)
By = Literal["numpy", "numba"]
WAYS: list[Any] = [
    "numpy",
    pytest.param("numba", marks=pytest.mark.skipif(not importlib.util.find_spec("numba"), reason="numba is optional")),
]
both_ways = pytest.mark.parametrize("by", WAYS)


def rows(n: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.exponential(2.0, (n, D)) * (rng.random((n, D)) < 0.5)


def fitted(max_samples: int, n_trees: int, n: int = 6_000) -> IsolationForest:
    forest = IsolationForest(n_estimators=n_trees, max_samples=max_samples, random_state=3)
    return forest.fit(rows(n).astype(np.float32))


@pytest.fixture(scope="module")
def sklearn_forest() -> IsolationForest:
    return fitted(4096, 40)


@pytest.fixture(scope="module")
def forest(sklearn_forest: IsolationForest) -> FlatForest:
    return compile_forest(sklearn_forest)


@pytest.mark.parametrize(
    ("max_samples", "n_trees"), [(1, 3), (2, 3), (3, 5), (16, 30), (256, 100), (4096, 60), (256, 401)]
)
@pytest.mark.parametrize("n", [1, 3, 8, 1_003])
@both_ways
def test_scores_equal_those_of_scikit_learn(max_samples: int, n_trees: int, n: int, by: By) -> None:
    """The same number as -IsolationForest.score_samples to 1e-9, for stumps, deep trees and many trees."""
    forest = fitted(max_samples, n_trees)
    asked = rows(n, 1)
    scores = compile_forest(forest).score(asked, by=by)
    assert np.abs(scores + forest.score_samples(asked)).max() < 1e-9
    assert ((scores > 0) & (scores <= 1)).all()


@both_ways
@settings(deadline=None)
@given(asked=hnp.arrays(np.float64, st.sampled_from([(1, D), (11, D)]), elements=st.floats(-FLOAT32_MAX, FLOAT32_MAX)))
def test_scores_equal_for_any_finite_row(
    sklearn_forest: IsolationForest, forest: FlatForest, by: By, asked: Floats
) -> None:
    """Negative, tiny, huge and negative-zero values take the way that scikit-learn takes."""
    assert np.abs(forest.score(asked, by=by) + sklearn_forest.score_samples(asked)).max() < 1e-9


@both_ways
def test_ties_at_thresholds_go_the_same_way(sklearn_forest: IsolationForest, forest: FlatForest, by: By) -> None:
    """On, just below and just above every threshold of a tree the scores agree."""
    tree = sklearn_forest.estimators_[0].tree_
    inner = np.flatnonzero(tree.children_left >= 0)
    on = tree.threshold[inner].astype(np.float32)
    for values in (
        on,
        np.nextafter(on, np.float32(-np.inf)),
        np.nextafter(on, np.float32(np.inf)),
        tree.threshold[inner],
    ):
        asked = rows(len(inner), 2)
        asked[np.arange(len(inner)), tree.feature[inner]] = values
        assert np.abs(forest.score(asked, by=by) + sklearn_forest.score_samples(asked)).max() < 1e-9


@both_ways
@pytest.mark.parametrize("n", [1, 9])
def test_numbers_beyond_float32_count_as_infinite(forest: FlatForest, n: int, by: By) -> None:
    """A value that float32 cannot hold lies beyond every threshold, as the largest value does."""

    def scores(value: float) -> list[float]:
        return forest.score(np.full((n, D), value), by=by).tolist()

    assert scores(1e300) == scores(np.inf) == scores(FLOAT32_MAX)
    assert scores(-1e300) == scores(-np.inf) == scores(-FLOAT32_MAX)


@both_ways
def test_negative_zero_is_zero(by: By) -> None:
    """A threshold of zero and a value of zero are equal, whatever their signs."""
    arrays = SMALL.arrays()
    for zero in (0.0, -0.0):
        forest = FlatForest.from_arrays(arrays | {"threshold": np.full_like(arrays["threshold"], zero)})
        at, beyond = forest.score([[0.0] * D, [-0.0] * D], by=by), forest.score([[1e-30] * D], by=by)
        assert at[0] == at[1] != beyond[0]


def test_nan_and_other_shapes_are_refused(forest: FlatForest) -> None:
    """NaN and a wrong number of columns are said plainly."""
    spoilt = rows(4)
    spoilt[2, 3] = np.nan
    for ask in (forest.score, forest.attribute):
        with pytest.raises(ValueError, match="NaN, first in row 2, column 3"):
            ask(spoilt)
        with pytest.raises(ValueError, match="shape"):
            ask(rows(4)[:, :5])
        with pytest.raises(ValueError, match="shape"):
            ask(rows(4)[0])


@both_ways
def test_no_rows_have_no_scores(forest: FlatForest, by: By) -> None:
    """An empty batch gives empty answers."""
    assert forest.score(np.empty((0, D)), by=by).shape == (0,)
    assert forest.attribute(np.empty((0, D))).shape == (0, D)


@both_ways
def test_scores_do_not_depend_on_the_batch(forest: FlatForest, by: By) -> None:
    """A row has the same score alone and among others, however many, and with numba the same as without."""
    asked = rows(1_500, 4)
    together = forest.score(asked, by="numpy")
    assert (forest.score(asked, by=by) == together).all()
    alone = [forest.score(asked[i : i + 1], by=by) for i in range(0, 1_500, 50)]
    assert (np.concatenate(alone) == together[::50]).all()


def test_attribution_adds_up_to_the_path_length(forest: FlatForest) -> None:
    """The expected path length less a row's attributions is its mean path length."""
    asked = rows(700, 5)
    length = -np.log2(forest.score(asked)) * average_path_length(np.array([4096]))[0]
    assert np.abs(forest.expected_path_length - forest.attribute(asked).sum(axis=1) - length).max() < 1e-9


def test_expected_path_length_is_that_of_the_training_rows() -> None:
    """Trees that saw all rows expect the mean path length of these rows."""
    forest = compile_forest(fitted(500, 20, n=500))
    length = -np.log2(forest.score(rows(500))) * average_path_length(np.array([500]))[0]
    assert forest.expected_path_length == pytest.approx(length.mean(), rel=1e-9)


def test_attribution_names_the_strange_column(forest: FlatForest) -> None:
    """A spike in one column of an ordinary row is credited to that column, with a positive sign."""
    asked = np.repeat(np.median(rows(1_000), axis=0)[None], D, axis=0)
    np.fill_diagonal(asked, 30.0)
    credit = forest.attribute(asked)
    assert (credit.argmax(axis=1) == np.arange(D)).all()
    assert (np.diag(credit) > 0).all()


def test_arrays_give_the_same_forest(forest: FlatForest) -> None:
    """A forest survives a round trip through its arrays."""
    again = FlatForest.from_arrays({name: array.copy() for name, array in forest.arrays().items()})
    asked = rows(300, 6)
    assert (again.score(asked) == forest.score(asked)).all()
    assert (again.attribute(asked) == forest.attribute(asked)).all()


SMALL = compile_forest(fitted(32, 4, n=200))


@both_ways
@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(["feature", "threshold", "samples", "shape"]),
    place=st.integers(0, 10**6),
    value=st.one_of(
        st.integers(-(2**31), 2**31 - 1), st.integers(-2, 150), st.sampled_from([np.nan, np.inf, -np.inf, 0.5])
    ),
)
def test_corrupted_arrays_are_refused_or_harmless(name: str, place: int, value: float, by: By) -> None:
    """One altered element of any array gives ArtefactError or a forest that answers; never a crash or a hang."""
    arrays = {key: array.copy() for key, array in SMALL.arrays().items()}
    array = arrays[name]
    if array.dtype.kind == "i" and not isinstance(value, int):
        value = -1
    array[place % array.size] = value
    try:
        forest = FlatForest.from_arrays(arrays)
    except ArtefactError:
        return
    for n in (1, 9):
        scores = forest.score(np.zeros((n, forest.n_features)), by=by)
        assert ((scores > 0) & (scores <= 1)).all()
    assert np.isfinite(forest.attribute(np.zeros((3, forest.n_features)))).all()


@both_ways
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_arbitrary_arrays_are_refused_or_harmless(by: By, data: st.DataObject) -> None:
    """Arrays that were never a forest give ArtefactError or a forest that answers."""
    n = data.draw(st.integers(1, 12))
    arrays: dict[str, Any] = {
        "feature": data.draw(hnp.arrays(np.int32, n, elements=st.integers(-1, 1))),
        "threshold": data.draw(hnp.arrays(np.float32, n, elements=st.floats(-2, 2, width=32))),
        "samples": data.draw(hnp.arrays(np.int32, n, elements=st.integers(1, 4))),
        "shape": np.array([data.draw(st.integers(-1, n + 1)), 2, data.draw(st.integers(1, 4))], np.int64),
    }
    try:
        forest = FlatForest.from_arrays(arrays)
    except ArtefactError:
        return
    asked = np.repeat([[0.0, -0.0], [np.inf, -np.inf], [2.0, -2.0]], 3, axis=0)
    assert (forest.score(asked, by=by) == forest.score(asked, by="numpy")).all()
    assert forest.score(asked[:1], by=by) == forest.score(asked[:1], by="numpy") > 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"samples": None}, "expected arrays"),
        ({"extra": np.zeros(1)}, "expected arrays"),
        ({"feature": SMALL.trees.feature.astype(np.int64)}, "int32"),
        ({"feature": SMALL.trees.feature[None]}, "vector"),
        ({"threshold": np.array([object()])}, "float32"),
        ({"samples": SMALL.trees.samples[:-1]}, "differ in length"),
        ({"samples": SMALL.trees.samples[::-1]}, "do not add up"),
        ({"samples": SMALL.trees.samples - 1}, "no training rows"),
        ({"threshold": SMALL.trees.threshold + np.float32(np.inf)}, "finite"),
        ({"feature": np.zeros_like(SMALL.trees.feature)}, "do not add up|no trees"),
        ({"feature": SMALL.trees.feature - 1}, "no column"),
        ({"feature": SMALL.trees.feature[::-1]}, "no trees"),
        ({"feature": SMALL.trees.feature + np.int32(D)}, "no column"),
        ({"shape": np.array([4, 0, 32])}, "columns"),
        ({"shape": np.array([4, 2**40, 32])}, "columns"),
        ({"shape": np.array([4, D, 31])}, "max_samples"),
        ({"shape": np.array([0, D, 32])}, "trees must number"),
        ({"shape": np.array([2**40, D, 32])}, "trees must number"),
        ({"shape": np.array([1_999, D, 32])}, "a root for each"),
        ({"shape": np.array([D])}, "three numbers"),
    ],
)
def test_malformed_arrays_are_named(change: dict[str, Any], match: str) -> None:
    """The message says what is wrong with the arrays."""
    arrays = {name: array for name, array in (SMALL.arrays() | change).items() if array is not None}
    with pytest.raises(ArtefactError, match=match):
        FlatForest.from_arrays(arrays)


def test_endless_chain_is_refused() -> None:
    """A tree far deeper than any that a fit would grow is not walked."""
    splits = 5_000
    feature = np.full(2 * splits + 1, -1, np.int32)
    feature[0] = 0
    feature[1:-2:2] = 0
    samples = np.ones(feature.size, np.int32)
    samples[feature >= 0] = np.arange(splits + 1, 1, -1)
    arrays: dict[str, Any] = {
        "feature": feature,
        "threshold": np.zeros(feature.size, np.float32),
        "samples": samples,
        "shape": np.array([1, 1, splits + 1], np.int64),
    }
    with pytest.raises(ArtefactError, match="at most 64 levels"):
        FlatForest.from_arrays(arrays)
    short = {"feature": feature[-41:].copy(), "threshold": np.zeros(41, np.float32), "samples": samples[-41:].copy()}
    short["feature"][0] = 0
    short["samples"][0] = 21
    assert FlatForest.from_arrays({**short, "shape": np.array([1, 1, 21])}).score([[1.0]]) < 1
