"""What a workload no longer does: speak, or run."""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.events import EPOCH
from features.protocols import Extraction, FeatureSpec
from features.silence import lost, silences
from features.windows import KEY, count_items, starting, window_start

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

    def extract(self, events: pl.DataFrame, since: datetime = EPOCH) -> Extraction:
        """Find silences and losses; there is nothing to count, so values are the windows in which a workload spoke."""
        named = pl.col("workload").is_not_null()
        flows = events.select("ts", "kind", "workload").filter(named, pl.col("kind") == "flow")
        spoken = flows.select("workload", window_start()).unique()
        life = events.select(_LIFE).filter(named, pl.col("kind") == "lifecycle")
        items = [
            count_items(silences(spoken), "control.silence", pl.col("item")),
            count_items(lost(life), "control.lost", pl.lit(LOST)),
        ]
        return Extraction(spoken.select(KEY).filter(starting(since)), pl.concat(items))


extractor = Silence()
