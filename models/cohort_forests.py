"""One forest for the fleet, and one of its own for every cohort with enough windows.

What is rare in the fleet is daily life in a cohort of build runners. A forest over all windows learns the fleet's mix
and calls a noisy cohort strange as a whole; one of its own knows how such evidence is spread there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtefactError
from models.flat_forest import FlatForest

FLEET = "forest"


@dataclass(frozen=True, eq=False)
class CohortForests:
    """Forests over the same columns.

    Parameters
    ----------
    fleet
        Fitted on all windows, for cohorts without a forest of their own.
    cohorts
        Forest of each cohort that has one.
    """

    fleet: FlatForest
    cohorts: Mapping[str, FlatForest]

    def score(self, vectors: NDArray[np.float64], cohorts: NDArray[np.str_]) -> NDArray[np.float64]:
        """Give the score of each window by the forest that answers for its cohort, shape (n,), in (0, 1].

        Vectors that are there many times, as that of no evidence is, are scored once.

        Scores of two forests are not on one scale: `models.calibration.TailCalibration` makes them comparable.
        """
        scores = np.empty(len(vectors))
        for forest, rows in self.answering(cohorts):
            distinct, place = np.unique(vectors[rows], axis=0, return_inverse=True)
            scores[rows] = forest.score(distinct)[place]
        return scores

    def answering(self, cohorts: NDArray[np.str_]) -> Iterator[tuple[FlatForest, NDArray[np.intp]]]:
        """Yield each forest that is needed, and its rows."""
        names, members = np.unique(np.asarray(cohorts, np.str_), return_inverse=True)
        forests = [self.cohorts.get(str(name), self.fleet) for name in names]
        for forest in dict.fromkeys(forests):
            yield forest, np.flatnonzero(np.array([other is forest for other in forests])[members])

    def names(self) -> list[str]:
        """List the cohorts with a forest, in the order that `arrays` numbers them."""
        return sorted(self.cohorts)

    def arrays(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Give the arrays of all forests by the name of their file, which no cohort's name could be."""
        numbered = {f"{FLEET}_{number}": self.cohorts[name].arrays() for number, name in enumerate(self.names())}
        return {FLEET: self.fleet.arrays(), **numbered}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Mapping[str, NDArray[Any]]], names: list[str]) -> Self:
        """Return the forests that `arrays` and `names` described.

        Raises
        ------
        ArtefactError
            A forest is missing, is none, or sees other columns than the fleet's.
        """
        try:
            fleet, *own = (
                FlatForest.from_arrays(arrays[file]) for file in [FLEET, *(f"{FLEET}_{i}" for i in range(len(names)))]
            )
        except KeyError as error:
            raise ArtefactError(f"forest of a cohort is missing ({error}); train again") from error
        if any(forest.n_features != fleet.n_features for forest in own):
            raise ArtefactError("forests of cohorts see other columns than the fleet's; train again")
        return cls(fleet, dict(zip(names, own, strict=True)))
