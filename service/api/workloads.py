"""Workloads and what is normal for them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from features.protocols import specs
from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas import Moment, utc
from service.state import state

resource = Resource("workloads")


class WorkloadSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A workload and how strange its stored windows are."""

    workload: str
    windows: int
    last_window: str
    strongest_bits: float


class WorkloadQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which windows to summarise."""

    since: Annotated[Moment | None, Meta(description="Only windows that start at or after this time.")] = None


class WorkloadList(msgspec.Struct, frozen=True, kw_only=True):
    """Workloads with stored scores, the strangest first."""

    workloads: list[WorkloadSummary]


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What is normal for a workload, as the model learnt it."""

    workload: str
    model: str
    baseline: dict[str, Any]


class FeatureInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Declaration of one feature."""

    name: str
    kind: Literal["count", "magnitude", "items"]
    unit: str
    meaning: str
    technique: str


class FeatureList(msgspec.Struct, frozen=True, kw_only=True):
    """Every feature that a window may carry."""

    features: list[FeatureInfo]


@resource.operation("GET", "/v1/workloads", scope="read", answer=WorkloadList, query=WorkloadQuery, problems=(422,))
def list_workloads() -> WorkloadList:
    """List the workloads that have stored scores, the strangest first."""
    rows = state().home.store.workloads(since=utc(read_query(WorkloadQuery).since))
    return WorkloadList(workloads=msgspec.convert(rows, list[WorkloadSummary]))


@resource.operation(
    "GET",
    "/v1/workloads/<path:workload>/baseline",
    scope="read",
    answer=Baseline,
    problems=(503,),
    examples={"workload": "docker:shop/api"},
)
def get_baseline(workload: str) -> Baseline:
    """Tell what is normal for a workload, as the model in use learnt it.

    The name may be given as it is, with its `:` and `/`, or percent-encoded.
    """
    detector = state().model.get()
    if detector is None:
        raise refuse(503, state().model.problem or "There is no model yet; run: wharfinger refresh", kind="no-model")
    baseline = detector.baseline(workload)
    if baseline is None:
        raise refuse(404, f"The model has no baseline of {workload!r}; GET /v1/workloads lists workloads.")
    return Baseline(workload=workload, model=detector.version, baseline=baseline)


@resource.operation("GET", "/v1/features", scope="read", answer=FeatureList)
def list_features() -> FeatureList:
    """List the features that a window may carry."""
    found = [
        FeatureInfo(name=s.name, kind=s.kind, unit=s.unit, meaning=s.meaning, technique=s.technique)
        for s in specs().values()
    ]
    return FeatureList(features=found)
