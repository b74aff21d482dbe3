"""Types of coverage."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from service.api.schemas import Name
from service.covered import SILENT_AFTER, SourceCoverage, WorkloadCoverage


class CoverageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which sources and hosts to tell of."""

    source: Annotated[Name | None, Meta(description="Only this source.")] = None
    host: Annotated[
        Annotated[str, Meta(max_length=512)] | None, Meta(description="Only this host; empty: events of no known host.")
    ] = None
    silent_after: Annotated[
        int,
        Meta(ge=1, le=31_536_000, description="Seconds without an event, up to the latest of all, until silence."),
    ] = int(SILENT_AFTER.total_seconds())


class WorkloadCoverageQuery(CoverageQuery, frozen=True, kw_only=True):
    """Which workloads to tell of."""

    workload: Annotated[Name | None, Meta(description="Only this workload.")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Rows on a page.")] = 100
    cursor: Annotated[
        Annotated[str, Meta(max_length=4096)] | None,
        Meta(description="`next` of the page before, with the same other parameters."),
    ] = None


class CoverageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What each source told of each host, up to the latest event of all; null before any."""

    until: datetime | None
    sources: list[SourceCoverage]


class WorkloadCoveragePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page, by workload, source and host; `next` is the cursor of the following page, null on the last."""

    workloads: list[WorkloadCoverage]
    next: str | None
