"""A rule engine that alerts on whatever it did not see while it learnt, in the manner of StackRox and NeuVector.

For each workload it keeps the set of executed programs, peers with their ports, and images of the learning time; from
then on anything outside the set is a violation, for ever and with no degree. A workload that is new has an hour in
which everything is allowed and learnt. A window's number is how many violations it holds.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.windows import KEY, Windows

LEARNT = (
    "control.new_command", "network.new_edge", "network.new_client", "pulls.new_repository", "config.new_privilege",
    "control.new_request",
)  # fmt: skip
GRACE = pl.duration(hours=1)


def violations(learnt: Windows, watched: Windows) -> NDArray[np.float64]:
    """Count what each watched window holds that its workload had not shown while learning, shape (windows,)."""
    before, after = _elements(learnt), _elements(watched)
    first = watched.values.group_by("workload").agg(pl.col("window_start").min().alias("first"))
    known = learnt.values.select("workload").unique().with_columns(pl.lit(value=True).alias("known"))
    after = after.join(first, on="workload").join(known, on="workload", how="left")
    young = pl.col("known").is_null() & (pl.col("window_start") < pl.col("first") + GRACE)
    element = ["workload", "feature", "item"]
    baseline = pl.concat([before.select(element), after.filter(young).select(element)]).unique()
    broken = after.filter(~young).join(baseline, on=element, how="anti").group_by(KEY).len()
    counted = watched.values.select(KEY).join(broken, on=list(KEY), how="left", maintain_order="left")
    return counted["len"].fill_null(0).to_numpy().astype(np.float64)


def _elements(windows: Windows) -> pl.DataFrame:
    """List the elements of a baseline; of a command only the program counts."""
    program = pl.when(pl.col("feature") == "control.new_command").then(pl.col("item").str.split(" ").list.first())
    return (
        windows.items.filter(pl.col("feature").is_in(LEARNT))
        .select(*KEY, "feature", program.otherwise("item").alias("item"))
        .unique()
    )
