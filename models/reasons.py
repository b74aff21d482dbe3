"""Why windows are strange, and what would be strange about them had nobody vouched for it."""

from datetime import datetime

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.evidence import Evidence, Normal, weigh
from features.expectations import Parted, without
from features.keyed_tables import Column, Index
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
    kept = np.arange(len(row)) - np.searchsorted(row, row) < MOST
    row, column = row[kept], column[kept]
    origin = source[row, column]
    told = _explained(evidence, origin, column, believed[row, column], backoff)
    start = evidence.keys["window_start"].to_numpy()
    since = (start[rows[row]] - start[origin]).astype("timedelta64[us]").tolist()
    found: dict[int, list[Reason]] = {}
    for window, of, ago in zip(row.tolist(), zip(origin.tolist(), column.tolist(), strict=True), since, strict=True):
        found.setdefault(window, []).append(earlier(told[of], ago))
    return found


def _explained(
    evidence: Evidence,
    origin: NDArray[np.int64],
    column: NDArray[np.int64],
    believed: NDArray[np.float64],
    backoff: Backoff,
) -> dict[tuple[int, int], Reason]:
    """Explain evidence by its row and column, each once: it is told in every window of the hour that follows."""
    names = list(specs())
    _, first = np.unique(origin * len(names) + column, return_index=True)
    origin, column, believed = origin[first], column[first], believed[first]
    key = Column.of_numbers(origin), Column.of_numbers(column)
    named = (evidence.keys[name].to_list() for name in ("workload", "cohort", "image_repository"))
    keys = list(zip(*named, strict=True))
    found: dict[tuple[int, int], Reason] = {}
    for table, explain, stand in (
        (evidence.values, magnitude_reason, backoff.of_magnitude),
        (evidence.items, item_reason, backoff.of_items),
    ):
        rows = Index([Column.of_numbers(table[name].to_numpy()) for name in ("row", "column")]).find(*key)
        there = np.flatnonzero(rows >= 0)
        shown = {name: table[name].to_numpy()[rows[there]] for name in table.columns} | {"believed": believed[there]}
        for cells in zip(*(column.tolist() for column in shown.values()), strict=True):
            told = dict(zip(shown, cells, strict=True))
            feature = names[told["column"]]
            found[told["row"], told["column"]] = explain(specs()[feature], told, stand(feature, *keys[told["row"]]))
    return found


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
