"""Tables of dangers: what a line of telemetry can do, in points, by the patterns that say so.

Points are on the scale of a container's posture: 8 is the host, the whole cluster or other people's credentials, 1 is
worth knowing in company. A table is written from published sources, which it names; how unusual its points are for
whoever shows them is not its matter but the baseline's.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl


class Danger(NamedTuple):
    """One danger.

    Parameters
    ----------
    points
        How much it can do, 1 to 8.
    technique
        ATT&CK technique it serves.
    name
        What it is, for a person.
    pattern
        Regular expression, without look-around, that lines with it match.
    """

    points: float
    technique: str
    name: str
    pattern: str


def met(lines: pl.Series, dangers: Sequence[Danger]) -> pl.DataFrame:
    """Find the dangers in lines.

    Returns
    -------
    A column named as `lines`, `danger` and `points`: a row for each danger of each distinct line.

    Examples
    --------
    >>> met(pl.Series("command", ["id", "ls"]), [Danger(1.0, "T1033", "asks who it is", "^id$")]).rows()
    [('id', 'asks who it is', 1.0)]
    """
    found = matching(lines, [danger.pattern for danger in dangers])
    table = pl.DataFrame(
        [(number, danger.name, danger.points) for number, danger in enumerate(dangers)],
        schema={"number": pl.Int64, "danger": pl.String, "points": pl.Float64},
        orient="row",
    )
    return found.join(table, on="number", how="left", maintain_order="left").drop("number")


def matching(lines: pl.Series, patterns: Sequence[str]) -> pl.DataFrame:
    """Find which patterns match which lines.

    Returns
    -------
    A column named as `lines` and `number`, the pattern's place in `patterns`: a row for each match of each distinct
    line.
    """
    distinct = lines.drop_nulls().unique(maintain_order=True).to_frame()
    if distinct.is_empty():
        return distinct.with_columns(pl.lit(None, pl.Int64).alias("number"))
    # One plan for all: planning costs more than matching where lines are few.
    met_by = distinct.select(pl.col(lines.name).str.contains(p).alias(str(n)) for n, p in enumerate(patterns))
    rows, numbers = np.nonzero(met_by.to_numpy())
    return distinct[rows].with_columns(pl.Series("number", numbers, pl.Int64))
