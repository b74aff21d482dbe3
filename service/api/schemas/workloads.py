"""Types of workloads, their baselines and features."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from service.api.schemas import Moment


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
