"""Two ways to have a baseline where a capture has no learning period of its own, neither of which sees a label.

`newcomer`: each workload is judged over the whole capture by a model of all the others, as a machine put into a known
network. `second half`: the second half is judged by a model of the first, as a product put into a network that the
adversary may already be in; what he did in the first half is learnt as normal.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from benchmarks.captures.zeek import Capture
from features.answers import Answers
from features.extraction import extract_days, read_leases
from features.flows import name_destinations, outbound
from features.lake import Lake
from features.leases import attribute
from features.windows import WINDOW, Windows, floor_window, merge_windows


@dataclass(frozen=True)
class Telemetry:
    """A capture as the product sees it: windows, and connections with workload and destination named."""

    windows: Windows
    flows: pl.DataFrame

    def where(self, wanted: pl.Expr) -> "Telemetry":
        """Keep what an expression over `workload` and `window_start` wants."""
        windows = Windows(self.windows.values.filter(wanted), self.windows.items.filter(wanted), self.windows.facts)
        return Telemetry(windows, self.flows.filter(wanted))


@dataclass(frozen=True)
class Trial:
    """What is learnt, as events and as telemetry, and what is judged by it."""

    events: pl.DataFrame
    learnt: Telemetry
    judged: Telemetry


@dataclass(frozen=True)
class Protocol:
    """A way to split a capture into trials; connections count from `since` on."""

    trials: Callable[[Capture], Iterator[Trial]]
    since: Callable[[Capture], datetime]


def telemetry(events: pl.DataFrame) -> Telemetry:
    """Extract windows and name the ends of connections."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        lake.append(events)
        since, until = floor_window(events["ts"].min()), floor_window(events["ts"].max()) + WINDOW
        windows = merge_windows(list(extract_days(lake, since, until)))
        attributed = attribute(lake.read(), read_leases(lake))
    named = name_destinations(attributed, Answers.of(attributed))
    flows = outbound(named).with_columns(pl.col("workload").str.strip_prefix("ip:").alias("src_ip"))
    return Telemetry(windows, flows)


def _newcomers(capture: Capture) -> Iterator[Trial]:
    seen = telemetry(capture.events)
    for workload in seen.windows.values["workload"].unique(maintain_order=True):
        address = str(workload).removeprefix("ip:")
        own = pl.col("workload") == workload
        touched = pl.col("src_ip").eq_missing(address) | pl.col("dst_ip").eq_missing(address)
        yield Trial(capture.events.filter(~touched), seen.where(~own), seen.where(own))


def _middle(capture: Capture) -> datetime:
    first, last = capture.events["ts"].min(), capture.events["ts"].max()
    return floor_window(first + (last - first) / 2)  # type: ignore[operator, arg-type]


def _second_half(capture: Capture) -> Iterator[Trial]:
    seen, middle = telemetry(capture.events), _middle(capture)
    before = pl.col("window_start") < middle
    yield Trial(capture.events.filter(pl.col("ts") < middle), seen.where(before), seen.where(~before))


PROTOCOLS = {
    "newcomer": Protocol(_newcomers, lambda capture: capture.events["ts"].min()),  # type: ignore[arg-type, return-value]
    "second half": Protocol(_second_half, _middle),
}
