"""Workloads and what is normal for them."""

import msgspec

from features.protocols import specs
from service.api.champion import champion
from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas import utc
from service.api.schemas.workloads import (
    Baseline,
    FeatureInfo,
    FeatureList,
    WorkloadList,
    WorkloadQuery,
    WorkloadSummary,
)
from service.state import state

resource = Resource("workloads")


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
    detector = champion()
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
