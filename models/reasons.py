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
from models.explanation import MOST, TELLING, earlier, item_reason, magnitude_reason
from models.scores import Reason
from models.trust import Trust


def telling(
    evidence: Evidence,
    believed: NDArray[np.float64],
    source: NDArray[np.int64],
    asked: NDArray[np.int64],
) -> dict[int, list[Reason]]:
    """Explain what is telling in each asked row, in the words of the window that it is from."""
    row, column = np.nonzero(believed[asked] >= TELLING)
    row = asked[row]
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
    found: dict[int, list[tuple[int, Reason]]] = {}
    for table, explain in ((evidence.values, magnitude_reason), (evidence.items, item_reason)):
        for told in places.join(table, on=["row", "feature"]).iter_rows(named=True):
            reason = explain(specs()[told["feature"]], told, told["believed"])
            since = start[told["told"]] - start[told["row"]]
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


def vouched_for(parted: Parted, normal: Normal, trust: Trust) -> dict[tuple[str, datetime], list[Reason]]:
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
        for row, reasons in telling(evidence, believed, source, own).items()
    }
