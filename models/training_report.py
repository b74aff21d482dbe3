"""What a training run found, in figures: how much was learnt, how often severities come, what would be found."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.evidence import Evidence
from features.protocols import specs
from features.windows import WINDOW
from models.channels import Channels
from models.held_out import HeldOut
from models.incidents import GAP
from models.scores import Severity

# How much more often than the alert budget a severity may be reached; critical is ten times rarer than the budget.
RATES: dict[Severity, float] = {"low": 50.0, "medium": 10.0, "high": 1.0, "critical": 0.1}
INJECTED = 40.0


def share_of_span(keys: pl.DataFrame) -> NDArray[np.float64]:
    """Give how much of the span lies before each window, shape (n,), in [0, 1)."""
    moments = keys["window_start"].dt.epoch("s").to_numpy()
    span = moments.max() - moments.min() + WINDOW.total_seconds()
    return np.asarray((moments - moments.min()) / span, dtype=np.float64)


def count_runs(keys: pl.DataFrame) -> int:
    """Count the runs of windows, one workload each, that lie less than `GAP` apart."""
    gaps = keys.sort("workload", "window_start").select(
        (pl.col("window_start") - pl.col("window_start").shift(1)).over("workload").alias("gap")
    )
    return int((gaps["gap"].is_null() | (gaps["gap"] - WINDOW >= GAP)).sum())


def describe_training(
    learnt: pl.DataFrame,
    held_out: HeldOut,
    channels: Channels,
    unseen: NDArray[np.float64],
    *,
    budget: float,
    seed: int,
) -> dict[str, Any]:
    """Describe what was learnt, ready for JSON.

    Parameters
    ----------
    learnt
        Workloads of the baseline.
    held_out
        Evidence of those that the baselines they were weighed against had not seen.
    channels
        What was fitted on them.
    unseen
        Their strength by what was fitted without them, shape (n,).
    budget
        False alerts a day for the whole fleet that `high` is set for.
    """
    return {
        "workloads": len(learnt),
        "windows": int(learnt["windows"].sum()),
        "held_out_windows": len(held_out.keys),
        "alerts_a_day": _rates(held_out, channels.alert_rate.bits(unseen), channels.thresholds, budget),
        "injected_found": round(_injected(held_out.evidence(), channels, seed), 3),
        "believed_of_ten_bits": {
            name: round(float(channels.trust.column(position, np.array([10.0]))[0]), 1)
            for position, name in enumerate(specs())
        },
    }


def _rates(
    held_out: HeldOut, bits: NDArray[np.float64], thresholds: dict[Severity, float], budget: float
) -> dict[str, dict[str, float]]:
    """Give for each severity the alerts a day that were promised, and those of held-out windows judged unseen.

    Those of the latest third stand beside the whole: where they are many more, the fleet has drifted from what was
    learnt, or something goes on.
    """
    keys, share = held_out.keys, held_out.share
    latest = share_of_span(keys) >= 2 / 3
    return {
        name: {
            "promised": budget * RATES[name],
            "held_out": _runs_a_day(keys, bits >= threshold, share),
            "latest_third": _runs_a_day(keys.filter(pl.Series(latest)), bits[latest] >= threshold, share),
        }
        for name, threshold in thresholds.items()
    }


def _runs_a_day(keys: pl.DataFrame, strange: NDArray[np.bool_], share: float) -> float:
    days = keys["window_start"].n_unique() * (WINDOW / timedelta(days=1)) * share
    return round(count_runs(keys.filter(pl.Series(strange))) / max(days, 1e-3), 2)


def _injected(evidence: Evidence, channels: Channels, seed: int, tries: int = 500) -> float:
    """Give the share of single-feature anomalies, put into ordinary windows, that reach the severity `high`."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, len(evidence.bits), tries)
    bits = evidence.bits[rows].copy()
    bits[np.arange(tries), random.integers(0, bits.shape[1], tries)] += INJECTED
    # each stands for itself: windows of a workload of its own have nothing before them
    alone = evidence.keys[rows.tolist()].with_columns(pl.int_range(pl.len()).cast(pl.String).alias("workload"))
    spiked = Evidence(alone, bits, evidence.values, evidence.items)
    return float(np.mean(channels.bits(spiked) >= channels.thresholds["high"]))
