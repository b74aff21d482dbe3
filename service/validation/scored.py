"""Scored windows of one estate in columns: what judging needs of thousands of scores, in little memory."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.scores import Score


def seconds(text: str) -> float:
    """Read an ISO time as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


@dataclass(frozen=True, eq=False)
class Scored:
    """Windows sorted by workload and time.

    Parameters
    ----------
    names
        Every workload once, in order; what the ground truth calls it may differ in case, so case is dropped.
    who
        Position in `names` of each window's workload, ascending, shape (n,).
    start
        Begin of each window in seconds since 1970; ascending within a workload.
    bits
        Surprise of each window; higher is stranger.
    reasons
        Features that each window was explained with, strongest first.
    texts
        Sentence of the strongest reason; empty without one.
    """

    names: tuple[str, ...]
    who: NDArray[np.int64]
    start: NDArray[np.float64]
    bits: NDArray[np.float64]
    reasons: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, scores: Iterable[Score]) -> Self:
        """Put scores into columns."""
        ordered = sorted(scores, key=lambda score: (score.workload.lower(), score.window_start))
        names = tuple(sorted({score.workload.lower() for score in ordered}))
        position = {name: number for number, name in enumerate(names)}
        return cls(
            names,
            np.array([position[score.workload.lower()] for score in ordered], np.int64),
            np.array([seconds(score.window_start) for score in ordered], np.float64),
            np.array([score.bits for score in ordered], np.float64),
            tuple(tuple(reason.feature for reason in score.reasons) for score in ordered),
            tuple(score.reasons[0].text if score.reasons else "" for score in ordered),
        )

    @classmethod
    def of_columns(cls, keys: pl.DataFrame, bits: NDArray[np.float64]) -> Self:
        """Put windows (`workload, window_start`) and the bits of each into columns, without reasons."""
        rows = (
            keys.select(pl.col("workload").str.to_lowercase(), pl.col("window_start").dt.epoch("us") / 1e6)
            .with_columns(pl.Series("bits", bits))
            .sort("workload", "window_start", "bits")
        )
        names, who = np.unique(rows["workload"].to_numpy(), return_inverse=True)
        empty = ("",) * len(rows)
        return cls(
            tuple(names.tolist()),
            who.astype(np.int64),
            rows["window_start"].to_numpy(),
            rows["bits"].to_numpy(),
            ((),) * len(rows),
            empty,
        )

    def __len__(self) -> int:
        return len(self.bits)

    def with_bits(self, bits: NDArray[np.float64]) -> Self:
        """Give the same windows other scores."""
        return replace(self, bits=np.asarray(bits, np.float64))

    def bounds(self, workload: str) -> tuple[int, int]:
        """Give the first row of a workload and the row after its last; the same twice for one without windows."""
        return self._spans.get(workload.lower(), (0, 0))

    @cached_property
    def _spans(self) -> dict[str, tuple[int, int]]:
        edges = np.searchsorted(self.who, np.arange(len(self.names) + 1)).tolist()
        return {name: (edges[number], edges[number + 1]) for number, name in enumerate(self.names)}
