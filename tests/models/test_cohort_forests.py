import numpy as np
import pytest
from numpy.typing import NDArray

from models.cohort_forests import CohortForests
from models.errors import ArtefactError
from models.forest import ENOUGH, fit_cohort_forests

Fitted = tuple[CohortForests, NDArray[np.float64], NDArray[np.str_]]


def evidence(n: int, scale: float, seed: int) -> NDArray[np.float64]:
    strongest = np.random.default_rng(seed).exponential(scale, (n, 2))
    return -np.sort(-strongest, axis=1)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """Forests of a quiet cohort and a noisy one that are large, and of one that is small."""
    vectors = np.concatenate([evidence(4 * ENOUGH, 1.0, 0), evidence(ENOUGH, 6.0, 1), evidence(ENOUGH - 1, 1.0, 2)])
    cohorts = np.repeat(["quiet", "noisy", "small"], [4 * ENOUGH, ENOUGH, ENOUGH - 1])
    return fit_cohort_forests(vectors, cohorts, seed=0), vectors, cohorts


def test_a_cohort_has_a_forest_of_its_own_from_enough_windows_on(
    fitted: Fitted,
) -> None:
    """Only cohorts with `ENOUGH` windows get a forest."""
    assert fitted[0].names() == ["noisy", "quiet"]


def test_what_is_daily_life_in_a_noisy_cohort_is_strange_elsewhere(
    fitted: Fitted,
) -> None:
    """The same evidence stands higher among the windows of a quiet cohort than among those of a noisy one."""
    forests, vectors, cohorts = fitted
    scores = forests.score(vectors, cohorts)
    loud = np.array([[12.0, 8.0]])

    def rank(cohort: str) -> float:
        return float(np.mean(scores[cohorts == cohort] < forests.score(loud, np.array([cohort]))[0]))

    assert rank("quiet") > 0.999
    assert rank("noisy") < 0.99


def test_windows_are_scored_by_the_forest_of_their_cohort_whatever_stands_beside_them(
    fitted: Fitted,
) -> None:
    """Scores of a mixed batch are those of each cohort alone; small and unknown cohorts are the fleet's."""
    forests, vectors, _ = fitted
    rows, cohorts = vectors[::97], np.resize(["noisy", "unknown", "quiet", "small"], len(vectors[::97]))
    mixed = forests.score(rows, cohorts)
    expected = {"noisy": forests.cohorts["noisy"], "quiet": forests.cohorts["quiet"]}

    for cohort in ("noisy", "unknown", "quiet", "small"):
        own = cohorts == cohort
        assert (mixed[own] == expected.get(cohort, forests.fleet).score(rows[own])).all()
    assert forests.score(vectors[:0], cohorts[:0]).shape == (0,)


def test_forests_survive_storage(fitted: Fitted) -> None:
    """Arrays and names give back forests with the same scores."""
    forests, vectors, cohorts = fitted
    again = CohortForests.from_arrays(forests.arrays(), forests.names())

    assert (again.score(vectors, cohorts) == forests.score(vectors, cohorts)).all()


@pytest.mark.parametrize("spoil", ["missing", "columns"])
def test_forests_that_do_not_belong_together_are_refused(fitted: Fitted, spoil: str) -> None:
    """A missing forest, or one over other columns, is said and not served."""
    arrays = fitted[0].arrays()
    if spoil == "missing":
        del arrays["forest_1"]
    else:
        arrays["forest_1"] = arrays["forest_1"] | {"shape": arrays["forest_1"]["shape"] + [0, 1, 0]}

    with pytest.raises(ArtefactError, match="train again"):
        CohortForests.from_arrays(arrays, fitted[0].names())
