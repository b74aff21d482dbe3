"""Coverage: which source tells of which host and workload, and what nobody knows the author of."""

from datetime import timedelta

from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas.coverage import CoverageAnswer, CoverageQuery, WorkloadCoveragePage, WorkloadCoverageQuery
from service.cursors import CursorError
from service.state import state

resource = Resource("coverage")


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
