"""What a workload no longer does: speak, or run."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.events import EPOCH
from features.protocols import NOTHING, Extraction, FeatureSpec, Trail
from features.silence import lost, silences
from features.windows import count_items, starting, window_start

_LIFE = ("ts", "kind", "action", "host", "container_id", "workload")
LOST = "a container ended or froze and none took its place within ten minutes"


class Silence:
    """Workloads that fall silent, and containers that end without a successor."""

    specs: Sequence[FeatureSpec] = (
        FeatureSpec(
            "control.silence", "items", "length of silence", "silence of a workload that speaks all day", "T1562.001",
            "has said nothing for {value}, though it speaks all day ({expected})", "silence",
        ),
        FeatureSpec(
            "control.lost", "items", "way to end", "containers that ended or froze and were not replaced", "T1562.001",
            "{value}, which is new here ({expected})", "silence",
        ),
    )  # fmt: skip

    kinds = ("flow", "lifecycle")

    def trail(self, events: pl.DataFrame, before: Trail = NOTHING) -> Trail:
        """Keep the windows in which workloads spoke, and the lives of their containers."""
        named = pl.col("workload").is_not_null()
        flows = events.select("ts", "kind", "workload").filter(named, pl.col("kind") == "flow")
        life = events.select(_LIFE).filter(named, pl.col("kind") == "lifecycle")
        found = {"spoken": flows.select("workload", window_start()).unique(), "life": life}
        return {name: pl.concat([before[name], own]) for name, own in found.items()} if before else found

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH, trail: Trail | None = None) -> Extraction:
        """Find silences and losses; there is nothing to count, so values are the windows in which a workload spoke."""
        trail = self.trail(events) if trail is None else trail
        items = [
            count_items(silences(trail["spoken"]), "control.silence", pl.col("item")),
            count_items(lost(trail["life"]), "control.lost", pl.lit(LOST)),
        ]
        return Extraction(trail["spoken"].filter(starting(since)), pl.concat(items))


extractor = Silence()
