"""Single audit events of Kubernetes services, benign and malicious: how new each is to a cluster that knows others.

The events are samples without history or order: most carry no time. Each is therefore put into a window of its own.
Rules are dealt into folds; the baseline of a fold is the benign events of the other folds, so that no event, and no
sibling of it that was written for the same rule, is in its own baseline. Every event of a fold is judged apart from the
others.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.captures.network import OURS
from benchmarks.captures.place import LABELLED
from benchmarks.captures.rivals import Floats, outlier_models, raw_counts
from features.baselines import learn
from features.envelopes import unwrap
from features.evidence import Normal, weigh
from features.extraction import extract
from features.ingest import events_from_records
from features.leases import LEASE_COLUMNS, attribute, build_leases
from features.protocols import RecordError, specs
from features.sources.kubernetes_audit import source
from features.windows import WINDOW, Windows
from models.aggregates import aggregate
from models.channels import summed

PATH = LABELLED / "k8saudit-panther" / "k8s_labelled.jsonl"
FOLDS = 5
DANGER = "danger"
START = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class Sample:
    """One event: whose test it is, what it is said to be, and what the product reads of it (nothing: null)."""

    rule: str
    malicious: bool
    service: str
    techniques: tuple[str, ...]
    record: dict[str, Any] | None

    @property
    def held_out(self) -> bool:
        """Whether the table of dangers was written without a look at the events of this rule."""
        return hashlib.sha256(self.rule.encode()).digest()[-1] % 2 == 1


def load(path: Path = PATH) -> list[Sample]:
    """Read the samples in their order."""
    return [_sample(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _sample(row: dict[str, Any]) -> Sample:
    techniques = tuple(name.partition(":")[2] for name in row["mitre"] or ())
    return Sample(row["rule"], row["malicious"], row["log_type"], techniques, _kubernetes(row["log"]))


def _kubernetes(record: dict[str, Any]) -> dict[str, Any] | None:
    """Take the audit event out of its cloud's envelope."""
    try:
        while not source.recognises(record):
            inner = next(iter(unwrap(record) or ()), None)
            if not isinstance(inner, dict):
                return None
            record = inner
    except RecordError:
        return None
    return record


def windows_of(samples: Sequence[Sample], since: datetime) -> list[Windows | None]:
    """Extract each sample as a window of its own, one after the other; null for what cannot be read."""
    found: list[Windows | None] = []
    for number, sample in enumerate(samples):
        moment = (since + number * WINDOW).isoformat()
        records = [] if sample.record is None else [sample.record | {"requestReceivedTimestamp": moment}]
        events = events_from_records(records, source="kubernetes_audit", ref=f"sample {number}").events
        leases = build_leases(events.select(LEASE_COLUMNS))
        windows = extract(attribute(events, leases)) if len(events) else None
        found.append(windows if windows is not None and len(windows.values) else None)
    return found


def merge(parts: Sequence[Windows | None]) -> Windows:
    """Put windows of different times together."""
    known = [part for part in parts if part is not None]
    return Windows(
        pl.concat([part.values for part in known], how="diagonal"),
        pl.concat([part.items for part in known]),
        pl.concat([part.facts for part in known]).unique("workload", keep="last", maintain_order=True),
    )


def folds(samples: Sequence[Sample]) -> list[int]:
    """Deal the rules, in order of name, into folds."""
    names = sorted({sample.rule for sample in samples})
    return [names.index(sample.rule) % FOLDS for sample in samples]


def score(samples: Sequence[Sample]) -> dict[str, Floats]:
    """Score every sample; what cannot be read has no evidence and stands last."""
    span = len(samples) * WINDOW
    learnt = windows_of(samples, START)
    judged = [None if each is None else _later(each, span) for each in learnt]
    found: dict[str, Floats] = {OURS: np.zeros(len(samples)), DANGER: np.array([_points(each) for each in judged])}
    dealt = np.array(folds(samples))
    for fold in range(FOLDS):
        known = [w for w, s, f in zip(learnt, samples, dealt, strict=True) if f != fold and not s.malicious]
        baseline = merge(known)
        normal = Normal.of(learn(baseline, START, START + span))
        own = [int(index) for index in np.flatnonzero(dealt == fold) if judged[index] is not None]
        for index in own:
            found[OURS][index] = _strongest(judged[index], normal)
        usual = raw(baseline)
        strange = [raw(judged[index]) for index in own]
        for name, model in outlier_models().items():
            bits = model(usual, np.vstack(strange))
            bounds = np.cumsum([0, *(len(rows) for rows in strange)])
            scores = found.setdefault(name, np.full(len(samples), -np.inf))
            scores[own] = [bits[a:b].max() for a, b in pairwise(bounds)]
    return found


def _later(windows: Windows, span: timedelta) -> Windows:
    moved = pl.col("window_start") + span
    return Windows(windows.values.with_columns(moved), windows.items.with_columns(moved), windows.facts)


def _strongest(windows: Windows | None, normal: Normal) -> float:
    return 0.0 if windows is None else float(summed(aggregate(weigh(windows, normal).bits)).max())


def _points(windows: Windows | None) -> float:
    """Give the declared danger by itself: what is left of the evidence where nobody has a history."""
    return 0.0 if windows is None else float(windows.values.select(pl.col("control.danger").max()).item() or 0.0)


def raw(windows: Windows | None) -> Floats:
    """Give the raw counts of windows as a matrix."""
    if windows is None:
        return np.zeros((0, len(specs())))
    return np.asarray(raw_counts(windows).select(list(specs())).to_numpy(), dtype=np.float64)
