"""Scores and ground truth made by hand, whose right judgement is known."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from service.emulation.labels import Attack, Labels, Lookalike
from service.emulation.splits import Split
from service.validation.judge import Act
from service.validation.scored import Scored
from service.validation.trial import Trial

START = datetime(2026, 9, 14, tzinfo=UTC)
ZERO = START.timestamp()
HOUR = 3600.0
THRESHOLDS = {"none": 0.0, "low": 4.0, "medium": 6.0, "high": 10.0, "critical": 14.0}


def iso(hours: float) -> str:
    return (START + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def scored(windows: Iterable[tuple[str, float, float]], reasons: Sequence[str] = ()) -> Scored:
    """Make scores of (workload, hours after the start, bits)."""
    rows = sorted(windows)
    names = tuple(sorted({name for name, _, _ in rows}))
    return Scored(
        names,
        np.array([names.index(name) for name, _, _ in rows]),
        np.array([ZERO + hours * HOUR for _, hours, _ in rows]),
        np.array([bits for _, _, bits in rows]),
        (tuple(reasons),) * len(rows),
        ("it is strange",) * len(rows),
    )


def quiet(workloads: int, days: int, bits: float = 1.0) -> list[tuple[str, float, float]]:
    """Give every workload a window each hour."""
    return [(f"docker:shop/w{n:03d}", float(hour), bits) for n in range(workloads) for hour in range(24 * days)]


def act(workload: str, start: float, end: float) -> Act:
    return Act(frozenset({workload}), ZERO + start * HOUR, ZERO + end * HOUR)


def attack(number: int, workload: str, start: float, end: float, **more: object) -> Attack:
    fields = {
        "id": f"A{number:03d}", "scenario": "N01", "variant": "high", "techniques": ("T1071.001",),
        "workload": workload, "workloads": (workload,), "start": iso(start), "end": iso(end),
        "reasons": ("network.beacon",), "lookalikes": ("B9",),
    }  # fmt: skip
    return Attack(**(fields | more))  # type: ignore[arg-type]


def trial(scores: Scored, attacks: Iterable[Attack], lookalikes: Iterable[Lookalike] = (), days: int = 2) -> Trial:
    labels = Labels.of(
        attacks, lookalikes, split=Split.DEVELOPMENT, seed=1, span=(iso(-48), iso(0), iso(24 * days)), workloads=100
    )
    return Trial(labels, scores, dict(THRESHOLDS))  # type: ignore[arg-type]
