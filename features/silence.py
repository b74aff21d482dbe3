"""What no longer happens: workloads that fall silent, and containers that end without a successor.

Both are told in the window in which the time to come back runs out, so that a window never says anything that its own
end did not know. That window may lie beyond the events at hand: whoever asks knows how far time has come.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import TIME
from features.identity import UNKNOWN_HOST
from features.windows import KEY, TRAILING, WINDOW

STEADY = 0.8  # share of the day before in whose windows a workload spoke
LEAST = 36  # windows in which it must have spoken at all: six hours
LENGTHS = {2: "20 minutes", 6: "an hour", 18: "three hours"}  # windows of silence that are told
RETURN = WINDOW  # an ended container has this long to be replaced on its host
STOPS = ("die", "pause")
BEGINS = ("start", "unpause")

_STEP = int(WINDOW.total_seconds())
_DAY = int(TRAILING / WINDOW)


def silences(spoken: pl.DataFrame) -> pl.DataFrame:
    """Find the windows in which a steady workload has been silent for one of the told lengths.

    Parameters
    ----------
    spoken
        `workload, window_start`: windows in which a workload spoke, over at least the `TRAILING` time before the first
        window of interest.

    Returns
    -------
    `workload, window_start, item`; `item` is the length of the silence.
    """
    spoken = spoken.select(KEY).unique().sort(KEY)
    if spoken.is_empty():
        return spoken.with_columns(pl.lit(None, pl.String).alias("item"))
    numbers = spoken.with_columns((pl.col("window_start").dt.epoch("s") // _STEP).alias("number"))
    found: list[tuple[str, int, str]] = []
    for (workload,), own in numbers.group_by("workload", maintain_order=True):
        found += [(str(workload), *told) for told in silent_windows(own["number"].to_numpy())]
    rows = pl.DataFrame(found, schema={"workload": pl.String, "number": pl.Int64, "item": pl.String}, orient="row")
    moment = pl.from_epoch(pl.col("number") * _STEP, time_unit="s").dt.replace_time_zone("UTC")
    return rows.select("workload", moment.cast(TIME).alias("window_start"), "item")


def silent_windows(numbers: NDArray[np.int64]) -> list[tuple[int, str]]:
    """List the silences of one workload.

    Parameters
    ----------
    numbers
        Windows in which it spoke, counted since 1970, ascending, shape (n,); the time after the last one is open.

    Returns
    -------
    Number of the window and length of each silence that is told.
    """
    following = np.append(numbers[1:], numbers[-1] + _DAY)
    gaps = following - numbers - 1
    # how many of the day's windows up to each spoken one were spoken in
    count = np.arange(1, len(numbers) + 1) - np.searchsorted(numbers, numbers - _DAY, side="right")
    reach = np.minimum(numbers - numbers[0] + 1, _DAY)
    steady = (count >= LEAST) & (count >= STEADY * reach)
    return [
        (int(numbers[at]) + length, text)
        for at in np.flatnonzero(steady & (gaps >= min(LENGTHS)))
        for length, text in LENGTHS.items()
        if gaps[at] >= length
    ]


def lost(life: pl.DataFrame) -> pl.DataFrame:
    """Find the windows in which a container that had ended should have been replaced and was not.

    Parameters
    ----------
    life
        Lifecycle events with `ts, workload, host, container_id, action`.

    Returns
    -------
    `workload, window_start`, a row per container that was lost.
    """
    # An engine that nobody named is one host: nulls would never meet.
    life = life.with_columns(pl.col("host").fill_null(UNKNOWN_HOST))
    ended = life.filter(pl.col("action").is_in(STOPS)).select("workload", "host", "ts").sort("ts")
    begun = life.filter(pl.col("action").is_in(BEGINS))
    begun = begun.select("workload", "host", "ts", pl.col("ts").alias("begun")).sort("ts")
    return (
        ended.join_asof(begun, on="ts", by=["workload", "host"], strategy="forward", check_sortedness=False)
        .filter(pl.col("begun").is_null() | (pl.col("begun") - pl.col("ts") > RETURN))
        .select("workload", (pl.col("ts") + RETURN).dt.truncate(WINDOW).alias("window_start"))
    )
