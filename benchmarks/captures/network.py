"""Edges and workloads of a Zeek capture, ranked by the product, by beacon scores and by outlier models."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.captures.evidence import beacon_bits, edge_bits
from benchmarks.captures.place import Edge
from benchmarks.captures.protocols import Protocol, Telemetry, Trial
from benchmarks.captures.ranking import auroc, ranks
from benchmarks.captures.rivals import FEWEST, Floats, naive_beacon, outlier_models, raw_counts, rita_beacon
from benchmarks.captures.zeek import EDGE, Capture, edges
from features.baselines import learn
from features.evidence import Normal
from features.lake import Lake
from features.leases import FAILED
from features.protocols import specs
from features.windows import WINDOW
from models.detector import Detector
from models.training import TrainingError, train
from models.trust import Trust

OURS = "Wharfinger"


@dataclass
class Scores:
    """Scores of edges and of workloads, by who gave them; higher is stranger, absent is least strange."""

    connections: dict[Edge, int] = field(default_factory=dict)
    edges: dict[str, dict[Edge, float]] = field(default_factory=dict)
    workloads: dict[str, dict[str, float]] = field(default_factory=dict)
    alerting: set[str] = field(default_factory=set)  # workloads with a window of the severity high or critical
    modelled: bool = True  # false: too few windows for a model, so evidence is taken at its word


def measure(capture: Capture, protocol: Protocol) -> Scores:
    """Score every edge and workload that the protocol judges."""
    found = Scores()
    start = protocol.since(capture)
    flows = capture.flows.filter(pl.col("ts") >= start)
    _beacons(edges(flows), start.timestamp(), found)
    found.edges["regularity"] = beacon_bits(flows)
    for trial in protocol.trials(capture):
        if not trial.judged.windows.values.is_empty():
            _ours(trial, found)
            _outliers(trial, found)
    return found


def _beacons(times: Mapping[Edge, tuple[Floats, Floats]], start: float, found: Scores) -> None:
    for edge, (moments, sizes) in times.items():
        found.connections[edge] = len(moments)
        _keep(found.edges, "naive beacon", {edge: naive_beacon(moments)})
        _keep(found.edges, "RITA's form", {edge: rita_beacon(moments, sizes, start)})


def _ours(trial: Trial, found: Scores) -> None:
    normal, trust, detector = _model(trial)
    found.modelled &= detector is not None
    judged = trial.judged
    _keep(found.edges, OURS, edge_bits(judged.windows, judged.flows, normal, trust))
    if detector is not None:
        for given in detector.score(judged.windows):
            _keep(found.workloads, OURS, {given.workload: given.bits})
            if given.severity in {"high", "critical"}:
                found.alerting.add(given.workload)


def _model(trial: Trial) -> tuple[Normal, Trust, Detector | None]:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        lake.append(trial.events)
        try:
            detector, _ = train(lake)
        except TrainingError:
            start = pl.col("window_start")
            first, last = trial.learnt.windows.values.select(start.min(), start.max().alias("last")).row(0)
            known = learn(trial.learnt.windows, first, last + WINDOW)
            return Normal.of(known), Trust.measure(np.zeros((0, len(specs())))), None
    return detector.normal, detector.channels.trust, detector


def _outliers(trial: Trial, found: Scores) -> None:
    for scores, key, raw in (
        (found.edges, lambda row: (row[1], row[2], row[3]), _per_edge),
        (found.workloads, lambda row: row[0], lambda seen: raw_counts(seen.windows)),
    ):
        learnt, judged = raw(trial.learnt), raw(trial.judged)
        if learnt.is_empty() or judged.is_empty():
            continue
        names = [name for name, dtype in judged.schema.items() if dtype == pl.Float64]
        keys = [key(row) for row in judged.drop(names).iter_rows()]
        for name, model in outlier_models().items():
            strange = model(learnt.select(names).to_numpy(), judged.select(names).to_numpy())
            for subject, value in zip(keys, strange, strict=True):
                _keep(scores, name, {subject: float(value)})


def _per_edge(seen: Telemetry) -> pl.DataFrame:
    def total(name: str) -> pl.Expr:
        return pl.col(name).fill_null(0).sum().cast(pl.Float64)

    return (
        seen.flows.drop_nulls(EDGE)
        .group_by("window_start", *EDGE)
        .agg(
            pl.len().cast(pl.Float64).alias("connections"),
            total("bytes_out"),
            total("bytes_in"),
            pl.col("duration").max().fill_null(0.0),
            pl.col("conn_state").is_in(FAILED).sum().cast(pl.Float64).alias("failed"),
        )
        .sort("window_start", *EDGE)
    )


def _keep(scores: dict[str, dict[Any, float]], name: str, more: Mapping[Any, float]) -> None:
    into = scores.setdefault(name, {})
    for subject, value in more.items():
        into[subject] = max(value, into.get(subject, value))


@dataclass(frozen=True)
class Standing:
    """How well one score ranks: over subjects of which some are hostile."""

    auroc: float
    ranks: list[float]
    hostile: int
    subjects: int


def standing(scores: Mapping[Any, float], subjects: Mapping[Any, bool]) -> Standing:
    """Rank subjects; those without a score are last."""
    given = [scores.get(subject, -np.inf) for subject in subjects]
    hostile = list(subjects.values())
    return Standing(auroc(given, hostile), ranks(given, hostile), sum(hostile), len(hostile))


def edge_standings(
    capture: Capture, found: Scores, *, fewest: int = FEWEST, without: frozenset[Edge] = frozenset()
) -> dict[str, Standing]:
    """Rank the edges with at least so many connections, some left out."""
    counted = {edge for edge, count in found.connections.items() if count >= fewest} - without
    judged = {edge: edge in capture.hostile for edge in sorted(counted)}
    return {name: standing(scores, judged) for name, scores in found.edges.items()}


def workload_standings(capture: Capture, found: Scores) -> dict[str, Standing]:
    """Rank the workloads, hostile where an edge of the adversary begins."""
    hostile = infected(capture)
    every = {workload: workload in hostile for scores in found.workloads.values() for workload in scores}
    return {name: standing(scores, every) for name, scores in found.workloads.items()}


Measured = Callable[[Capture, Protocol], Scores]


def infected(capture: Capture) -> set[str]:
    """Name the workloads from which an edge of the adversary begins."""
    return {f"ip:{source}" for source, _, _ in capture.hostile}
