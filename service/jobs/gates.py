"""What a new model must have shown before it may become the champion."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEAST_WORKLOADS = 2
LEAST_HELD_OUT = 50
# Injections spike one feature each, the least trusted among them; a broken calibration finds next to none.
LEAST_FOUND = 0.1


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition of promotion: what was asked, what was found, and whether it passes."""

    name: str
    passed: bool
    found: str
    wanted: str


def gates(report: Mapping[str, Any], calibrations: Mapping[str, Any]) -> list[Gate]:
    """Judge a training.

    Parameters
    ----------
    report
        As `models.training.train` returns it: `workloads` learnt, `held_out_windows` calibrated on, and
        `injected_found`, the share of injected anomalies that scored high, in [0, 1].
    calibrations
        Parameters of the calibrations, as the manifest stores them.
    """
    workloads, held_out = int(report["workloads"]), int(report["held_out_windows"])
    found = float(report["injected_found"])
    numbers = _numbers(calibrations)
    finite = bool(numbers) and all(math.isfinite(number) for number in numbers)
    return [
        Gate("workloads learnt", workloads >= LEAST_WORKLOADS, f"{workloads:,}", f"at least {LEAST_WORKLOADS}"),
        Gate("windows held out", held_out >= LEAST_HELD_OUT, f"{held_out:,}", f"at least {LEAST_HELD_OUT}"),
        Gate("calibration", finite, "finite" if finite else "not finite", "finite"),
        Gate("injected anomalies found", found >= LEAST_FOUND, f"{found:.0%}", f"at least {LEAST_FOUND:.0%}"),
    ]


def _numbers(tree: object) -> list[float]:
    """List every number in nested mappings and lists."""
    if isinstance(tree, Mapping):
        return [number for value in tree.values() for number in _numbers(value)]
    if isinstance(tree, list | tuple):
        return [number for value in tree for number in _numbers(value)]
    return [float(tree)] if isinstance(tree, int | float) else []
