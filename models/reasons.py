"""Why windows are strange, and what would be strange about them had nobody vouched for it."""

from datetime import datetime

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.evidence import Evidence, Normal, weigh
from features.expectations import Parted, without
from features.protocols import specs
from features.windows import KEY, Windows
from models.backoff import Backoff
from models.explanation import MOST, TELLING, earlier, item_reason, magnitude_reason
from models.scores import Reason
from models.trust import Trust


def telling(
    evidence: Evidence,
    believed: NDArray[np.float64],
    source: NDArray[np.int64],
    rows: NDArray[np.int64],
    backoff: Backoff,
) -> dict[int, list[Reason]]:
    """Explain what is telling in windows, in the words of the window that it is from.

    Parameters
    ----------
    evidence
        Of all windows.
    believed, source
        Of the windows asked for: bits, shape (n, features), and the row of `evidence` that each is from.
    rows
        Row of `evidence` that each window asked for is, shape (n,).
    backoff
        Whose history each expectation stood on.

    Returns
    -------
    By place among those asked for, strongest reason first, at most `MOST`.
    """
    row, column = np.nonzero(believed >= TELLING)
    order = np.lexsort((column, -believed[row, column], row))
    row, column = row[order], column[order]
    names = list(specs())
    places = pl.DataFrame(
        {
            "told": row,
            "feature": [names[place] for place in column],
            "row": source[row, column].astype(np.uint32),
            "believed": believed[row, column],
            "place": np.arange(len(row)),
        },
        schema_overrides={"feature": pl.String},
    ).filter(pl.int_range(pl.len()).over("told") < MOST)
    start = evidence.keys["window_start"]
    keys = evidence.keys.select("workload", "cohort", "image_repository").rows()
    found: dict[int, list[tuple[int, Reason]]] = {}
    for table, explain, stand in (
        (evidence.values, magnitude_reason, backoff.of_magnitude),
        (evidence.items, item_reason, backoff.of_items),
    ):
        for told in places.join(table, on=["row", "feature"]).iter_rows(named=True):
            standing = stand(told["feature"], *keys[told["row"]])
            reason = explain(specs()[told["feature"]], told, standing)
            since = start[int(rows[told["told"]])] - start[told["row"]]
            found.setdefault(told["told"], []).append((told["place"], earlier(reason, since)))
    return {row: [reason for _, reason in sorted(own, key=lambda one: one[0])] for row, own in found.items()}


def telling_only(windows: Windows, parted: Parted, normal: Normal, trust: Trust) -> Parted:
    """Leave unexplained what would not be telling: an ordinary window is to look ordinary, not empty."""
    if parted.named.is_empty():
        return parted
    evidence = weigh(parted.explained, normal)
    row, column = np.nonzero(trust.apply(evidence.bits) >= TELLING)
    features = pl.Series("feature", list(specs()))
    strange = evidence.keys.select(KEY)[row].with_columns(features[column])
    named = parted.named.join(strange, on=[*KEY, "feature"], how="semi", maintain_order="left")
    return Parted(*without(windows, named), named)


def vouched_for(
    parted: Parted, normal: Normal, trust: Trust, backoff: Backoff
) -> dict[tuple[str, datetime], list[Reason]]:
    """Explain what would be telling had nobody vouched for it, and name who did, by workload and window."""
    if parted.named.is_empty():
        return {}
    evidence = weigh(parted.explained, normal)
    believed = trust.apply(evidence.bits)
    own = np.arange(len(believed))
    source = np.broadcast_to(own[:, None], believed.shape)
    who = {tuple(row[:4]): row[4] for row in parted.named.iter_rows()}
    keys = evidence.keys.select(KEY).rows()
    return {
        keys[row]: [
            msgspec.structs.replace(
                one, explained=who[*keys[row], one.feature, None if one.amount is not None else one.value]
            )
            for one in reasons
        ]
        for row, reasons in telling(evidence, believed, source, own, backoff).items()
    }
