"""What is normal for a workload, in plain values."""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from features.evidence import Normal
from features.magnitudes import QUANTILES
from features.protocols import specs
from features.surprising_items import MATURE

RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"


def describe(normal: Normal, workload: str) -> dict[str, Any] | None:
    """Describe what is normal for a workload, ready for JSON; None for one never seen."""
    known = normal.baseline.workloads.filter(pl.col("workload") == workload)
    if known.is_empty():
        return None
    own = pl.col("workload") == workload
    items = normal.baseline.items.filter(own).sort("feature", "windows", "item", descending=[False, True, False])
    usual = normal.magnitudes.workloads.filter(own).sort("feature")
    row = known.row(0, named=True)
    return {
        "workload": workload,
        "cohort": row["cohort"],
        "image_repository": row["image_repository"],
        "first_seen": iso(row["first_seen"]),
        "last_seen": iso(row["last_seen"]),
        "windows": row["windows"],
        "maturity": round(row["windows"] / (row["windows"] + MATURE), 3),
        "magnitudes": {
            name: {
                "typical": round(float(np.expm1(mean)), 3),
                "low": round(float(max(np.expm1(mean - 2 * spread), 0)), 3),
                "high": round(float(np.expm1(mean + 2 * spread)), 3),
                "quantiles": {str(at): _shown(name, value) for at, value in zip(QUANTILES, found, strict=True)},
                "active_share": round(rate, 4),
                "unit": specs()[name].unit,
            }
            for name, mean, spread, rate, *found in usual.select(
                "feature", "mean", "spread", "rate", *(f"q{at * 100:.0f}" for at in QUANTILES)
            ).iter_rows()
            if name in specs()
        },
        "items": {
            str(name): [
                {"item": i["item"], "windows": i["windows"], "last_seen": iso(i["last_seen"])}
                for i in group.head(200).iter_rows(named=True)
            ]
            for (name,), group in items.group_by("feature", maintain_order=True)
        },
    }


def _shown(feature: str, value: float) -> float:
    return round(value) if specs()[feature].kind == "count" else float(f"{value:.3g}")


def iso(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC."""
    return moment.strftime(RFC_3339)
