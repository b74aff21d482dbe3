"""What a new model must have shown before it may become the champion."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEAST_WINDOWS = 100
LEAST_WORKLOADS = 2
LEAST_RECOVERY = 0.5


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition of promotion: what was asked, what was found, and whether it passes."""

    name: str
    passed: bool
    found: str
    wanted: str


def gates(report: Mapping[str, Any]) -> list[Gate]:
    """Judge a training report.

    Parameters
    ----------
    report
        As `models.training.train` returns it: `windows`, `workloads`, the `calibration` parameters, and
        `self_check.recovery`, the share of injected anomalies that scored high, in [0, 1].
    """
    windows, workloads = int(report.get("windows", 0)), int(report.get("workloads", 0))
    numbers = list(_numbers(report.get("calibration", {})))
    finite = bool(numbers) and all(math.isfinite(number) for number in numbers)
    recovery = float(report.get("self_check", {}).get("recovery", 0.0))
    return [
        Gate("windows", windows >= LEAST_WINDOWS, f"{windows:,}", f"at least {LEAST_WINDOWS}"),
        Gate("workloads", workloads >= LEAST_WORKLOADS, f"{workloads:,}", f"at least {LEAST_WORKLOADS}"),
        Gate("calibration", finite, "finite" if finite else "not finite", "finite"),
        Gate("recovery", recovery >= LEAST_RECOVERY, f"{recovery:.0%}", f"at least {LEAST_RECOVERY:.0%}"),
    ]


def _numbers(tree: object) -> list[float]:
    """List every number in nested mappings and lists."""
    if isinstance(tree, Mapping):
        return [number for value in tree.values() for number in _numbers(value)]
    if isinstance(tree, list | tuple):
        return [number for value in tree for number in _numbers(value)]
    return [float(tree)] if isinstance(tree, int | float) else []
