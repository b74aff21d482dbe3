"""Geometry of the pictures; templates turn it into SVG."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from features.windows import WINDOW
from models.scores import SEVERITIES, Severity
from service.storage import Cell

COLUMNS = 144
CALM = (1.0, 3.0)  # bits at which a cell without severity takes its next colour
EVIDENCE_SCALE = 24.0
TICKS = 5
SHORTEST = timedelta(hours=6)
LONGEST_LABEL = 46


@dataclass(frozen=True)
class Mark:
    """One mark of a picture: its column, strength and what a pointer shows."""

    column: int
    level: int
    bits: float
    severity: str
    title: str


@dataclass(frozen=True)
class Strip:
    """One workload's marks over time."""

    workload: str
    strongest: float
    marks: list[Mark]


@dataclass(frozen=True)
class Axis:
    """Time from left to right, in `columns` equal steps of `step`."""

    start: datetime
    step: timedelta
    columns: int

    @classmethod
    def over(cls, first: datetime, until: datetime, hours: int) -> "Axis":
        """Lay an axis over the last `hours` before `until`, from `first` at the earliest but never under six hours.

        Its steps are whole windows, so that there are at most `COLUMNS` of them.
        """
        since = min(max(first, until - timedelta(hours=hours)), until - SHORTEST)
        windows = max(1, -((since - until) // WINDOW))
        step = -(-windows // COLUMNS) * WINDOW
        return cls(since, step, max(1, -((since - until) // step)))

    def column(self, moment: datetime) -> int:
        """Tell the column that a time lies in."""
        return (moment - self.start) // self.step

    def ticks(self) -> list[str]:
        """Label the axis at equal distances, its ends included."""
        marks = [self.start + self.step * (self.columns * part // (TICKS - 1)) for part in range(TICKS)]
        return [mark.strftime("%d %b %H:%M") for mark in marks]


def label(name: str) -> str:
    """Shorten a long name in its middle: names differ at their ends."""
    if len(name) <= LONGEST_LABEL:
        return name
    kept = (LONGEST_LABEL - 1) // 2
    return f"{name[:kept]}…{name[-kept:]}"


def level(bits: float, severity: Severity) -> int:
    """Tell which of the seven colours a window has: three shades of calm, then one for each severity."""
    if severity == "none":
        return sum(bits >= bound for bound in CALM)
    return len(CALM) + SEVERITIES.index(severity)


def strips(cells: Iterable[Cell], axis: Axis) -> list[Strip]:
    """Lay out a heat map: per workload the strangest window of each column, the strangest workload first.

    Parameters
    ----------
    cells
        By workload.
    """
    found = []
    for workload, group in groupby(cells, key=lambda cell: cell.workload):
        marks = _marks(list(group), axis)
        found.append(Strip(workload, max(mark.bits for mark in marks), marks))
    return sorted(found, key=lambda strip: (-strip.strongest, strip.workload))


def _marks(cells: Sequence[Cell], axis: Axis) -> list[Mark]:
    strongest: dict[int, Cell] = {}
    for cell in cells:
        column = axis.column(cell.window_start)
        if column not in strongest or cell.bits > strongest[column].bits:
            strongest[column] = cell
    return [
        Mark(
            column,
            level(cell.bits, cell.severity),
            cell.bits,
            cell.severity,
            f"{cell.window_start:%Y-%m-%d %H:%M} UTC · {cell.bits:.1f} bits · {cell.severity}",
        )
        for column, cell in sorted(strongest.items())
    ]


def height(bits: float) -> float:
    """Tell how high a column stands, 0.8 to 100: 10 bits is half way, so that small and large can be read at once."""
    return max(0.8, 100 * bits / (bits + 10))


def share(bits: float) -> float:
    """Tell how long an evidence bar is, 0 to 100."""
    return 100 * min(bits, EVIDENCE_SCALE) / EVIDENCE_SCALE
