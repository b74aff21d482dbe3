"""Coverage: which source tells of which host and workload, and what nobody knows the author of."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas import Name
from service.coverage import SILENT_AFTER, SourceCoverage, WorkloadCoverage
from service.cursors import CursorError
from service.state import state

resource = Resource("coverage")


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


@resource.operation(
    "GET",
    "/v1/coverage",
    scope="read",
    answer=CoverageAnswer,
    query=CoverageQuery,
    problems=(422,),
    examples={"host": "n1"},
)
def get_coverage() -> CoverageAnswer:
    """Tell which source tells of which host, since when it is silent, and how much has no known author.

    Counted at least every hour while the service runs, and by `wharfinger coverage`; `last_seen` is of now.
    """
    query, store = read_query(CoverageQuery), state().home.coverage
    silent_after = timedelta(seconds=query.silent_after)
    found = store.sources(source=query.source, host=query.host, silent_after=silent_after)
    return CoverageAnswer(until=store.latest(), sources=found)


@resource.operation(
    "GET",
    "/v1/coverage/workloads",
    scope="read",
    answer=WorkloadCoveragePage,
    query=WorkloadCoverageQuery,
    problems=(422,),
    examples={"workload": "docker:shop/api"},
)
def list_covered_workloads() -> WorkloadCoveragePage:
    """Tell which source tells of which workload on which host, page by page."""
    query = read_query(WorkloadCoverageQuery)
    try:
        found, cursor = state().home.coverage.workloads(
            workload=query.workload,
            source=query.source,
            host=query.host,
            silent_after=timedelta(seconds=query.silent_after),
            limit=query.limit,
            cursor=query.cursor,
        )
    except CursorError as error:
        raise refuse(422, str(error)) from None
    return WorkloadCoveragePage(workloads=found, next=cursor)
