"""How surprising the counts and magnitudes of windows are, in bits, by what `features.magnitudes` expects.

On the scale of log1p the tail is logistic up to `KNEE` standard deviations and a power law beyond: a value a thousand
times the usual one is not believed to be impossible, and evidence never ends.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baselines import cell, hour_of_day
from features.keyed_tables import Column, first_known
from features.magnitudes import ANCESTORS, BARE, CELL_WEIGHT, Magnitudes
from features.protocols import specs

ACTIVITY = 0.5  # share of the hurdle's bits that counts: activity at a rare hour is weak evidence by itself
LOGISTIC = float(np.pi / np.sqrt(3))  # rate of the logistic tail in standard deviations
KNEE = 4.0  # standard deviations beyond which the tail is a power law
FAR = 4.0  # its exponent, that of Student's t with four degrees of freedom
LN2 = np.log(2)  # logarithms are divided by it: `log2` of some builds differs from that in the last bit


@dataclass(frozen=True, eq=False)
class Subjects:
    """Whose each of n rows is: workload, its cohort, and the repository of its image, none where it is unknown."""

    workload: Column
    cohort: Column
    image_repository: Column

    def __getitem__(self, rows: NDArray[np.intp]) -> "Subjects":
        return Subjects(self.workload[rows], self.cohort[rows], self.image_repository[rows])


def surprise(values: pl.DataFrame, subjects: Subjects, expected: Magnitudes) -> pl.DataFrame:
    """Give the evidence of every positive value.

    Parameters
    ----------
    values
        `Windows.values`.
    subjects
        Whose each row of `values` is.
    expected
        What is normal.

    Returns
    -------
    `row` (of `values`), `column` (place in `specs()`), `value`, `mean` and `spread` (log1p units), `bits` (at least 0).
    """
    measured = [name for name, spec in specs().items() if spec.kind != "items" and name in values.columns]
    columns = np.array([column for column, name in enumerate(specs()) if name in measured], np.intp)
    table = values.select(measured).to_numpy() if measured else np.empty((len(values), 0))
    place, row = np.nonzero(table.T > 0)
    value, feature, who = table[row, place], Column(measured, place), subjects[row]
    hours = values.select(cell().alias("hour"), hour_of_day(cell()).alias("cell"))
    hour, day = (Column.of(hours[name])[row] for name in ("hour", "cell"))
    of = expected.by_key
    own, daily = of["workloads"].find(who.workload, feature), of["cells"].find(who.workload, feature, day)
    weekly = of["week"].find(who.workload, feature, hour)
    prior = _inherited(feature, who, expected)
    exposed = np.nan_to_num(of["exposure"].take("exposed", of["exposure"].find(expected.born(who.workload), day)))
    usual_rate = first_known(of["workloads"].take("rate", own), prior["rate"])
    rate = first_known(
        of["week"].take("week_rate", weekly),
        of["cells"].take("cell_rate", daily),
        CELL_WEIGHT * usual_rate / (exposed + CELL_WEIGHT),
    )
    mean = first_known(
        of["week"].take("week_mean", weekly),
        of["cells"].take("cell_mean", daily),
        of["workloads"].take("mean", own),
        prior["mean"],
    )
    spread = first_known(of["workloads"].take("spread", own), np.sqrt(prior["spread"] ** 2 + prior["between"] ** 2))
    bits = tail_bits((np.log1p(value) - mean) / spread) - ACTIVITY * (np.log(np.clip(rate, 1e-9, 1.0)) / LN2)
    return pl.DataFrame(
        {
            "row": row.astype(np.uint32),
            "column": columns[place],
            "value": value,
            "mean": mean,
            "spread": spread,
            "bits": bits,
        }
    )


def tail_bits(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the bits of deviations in standard deviations: logistic up to `KNEE`, a power law beyond."""
    near = np.log1p(np.exp(LOGISTIC * np.minimum(deviation, KNEE))) * (1 / LN2)
    return np.asarray(near + FAR * (np.log(np.maximum(deviation, KNEE) / KNEE) / LN2))


def _inherited(feature: Column, who: Subjects, expected: Magnitudes) -> dict[str, NDArray[np.float64]]:
    """Give what is expected of a workload without history: by its nearest ancestor that has statistics."""
    fleet = Column.constant("fleet", len(feature.places))
    names = {"image_repository": who.image_repository, "cohort": who.cohort, "fleet": fleet}
    found = [(of := expected.by_key[level], of.find(names[level], feature)) for level in ANCESTORS]
    return {
        name: first_known(*(of.take(name, rows) for of, rows in found), np.full(len(fleet.places), bare))
        for name, bare in BARE.items()
    }
