"""How far two baselines lie apart: what was learnt day by day beside what was learnt anew."""

from dataclasses import dataclass

import polars as pl

from features.baselines import TABLES, Baseline

_COMPARED = {
    "workloads": (["workload"], ["weight"]),
    "values": (["workload", "feature", "cell"], ["active", "log_total", "log_squares"]),
    "quantiles": (["workload", "feature", "bin"], ["weight"]),
    "items": (["workload", "feature", "item"], ["weight"]),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """How one table differs.

    Parameters
    ----------
    table
        Key of `features.baselines.TABLES`.
    rows
        Rows that both have.
    only_first, only_second
        Rows that one of them has alone.
    largest
        Largest difference of a decayed sum of the rows that both have, relative to the larger, in [0, 1].
    """

    table: str
    rows: int
    only_first: int
    only_second: int
    largest: float


def compare(first: Baseline, second: Baseline) -> list[Difference]:
    """Compare two baselines as of the same time, table by table."""
    return [_compared(name, getattr(first, name), getattr(second, name)) for name in TABLES if name in _COMPARED]


def _compared(name: str, first: pl.DataFrame, second: pl.DataFrame) -> Difference:
    keys, sums = _COMPARED[name]
    both = first.join(second, on=keys, suffix="_second")
    apart = [
        ((pl.col(column) - pl.col(f"{column}_second")).abs() / pl.max_horizontal(column, f"{column}_second")).max()
        for column in sums
    ]
    largest = both.select(pl.max_horizontal(apart).fill_null(0.0).fill_nan(0.0)).item() if len(both) else 0.0
    return Difference(name, len(both), len(first) - len(both), len(second) - len(both), float(largest))
