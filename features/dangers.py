"""Tables of dangers: what a line of telemetry can do, in points, by the patterns that say so.

Points are on the scale of a container's posture: 8 is the host, the whole cluster or other people's credentials, 1 is
worth knowing in company. A table is written from published sources, which it names; how unusual its points are for
whoever shows them is not its matter but the baseline's.
"""

from collections.abc import Sequence
from typing import NamedTuple

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
    distinct = lines.drop_nulls().unique(maintain_order=True).to_frame()
    found = [
        distinct.filter(pl.col(lines.name).str.contains(danger.pattern)).with_columns(
            pl.lit(danger.name).alias("danger"), pl.lit(danger.points, pl.Float64).alias("points")
        )
        for danger in (dangers if len(distinct) else ())
    ]
    nothing = pl.DataFrame(schema={lines.name: pl.String, "danger": pl.String, "points": pl.Float64})
    return pl.concat([nothing, *found])
