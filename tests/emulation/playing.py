"""Plays scenarios in a small quiet estate, and reads them back as the product does."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.ingest import read_events
from features.leases import attribute, build_leases
from service.emulation.estate import campaign, changes
from service.emulation.estate.__main__ import make
from service.emulation.estate.cast import Cast
from service.emulation.estate.world import Options, World

START = datetime(2026, 9, 7, tzinfo=UTC).timestamp()


@dataclass
class Played:
    """A scenario that was played, and what the product makes of the estate's telemetry."""

    cast: Cast
    events: pl.DataFrame

    def between(self) -> pl.DataFrame:
        """Return what the workloads of the label did while it lasted."""
        label = self.cast.label(1)
        begin, end = (datetime.fromisoformat(text) for text in (label.start, label.end))
        during = pl.col("ts").is_between(begin, end, closed="both")
        return self.events.filter(during & pl.col("workload").is_in(label.workloads))

    def flows(self, step: Any) -> pl.DataFrame:
        """Return the flows that go to the site of a step."""
        addresses = self.cast.sites[step.to].addresses
        return self.between().filter((pl.col("kind") == "flow") & pl.col("dst_ip").is_in(addresses))


def quiet_world(folder: Path) -> World:
    """Make an estate in which nobody releases anything, and nobody else attacks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "schedule", lambda _: None)
        patch.setattr(campaign, "schedule", lambda _: None)
        return make(Options(folder, START, days=2, learn_days=1, workloads=12, flows=5_000))


def read_back(world: World) -> pl.DataFrame:
    """Run the estate without its steady traffic, and read it as the product does."""
    world.run_until(world.options.end)
    world.sink.close()
    batches = list(read_events([world.options.out]))
    assert not [reject for batch in batches for reject in batch.rejects]
    events = pl.concat([batch.events for batch in batches])
    return attribute(events, build_leases(events))


def is_about(found: float, promised: float, low: float = 0.6, high: float = 1.5) -> None:
    assert low * promised <= found <= high * promised, f"{found} is not about {promised}"
