"""`wharfinger coverage`: which source tells of what, and which has fallen silent."""

from collections.abc import Iterator
from datetime import datetime

import click

from service.cli import terminal
from service.cli.findings import write_ndjson
from service.cli.group import CommandError, Invocation
from service.cli.options import home_of, output_format
from service.coverage import CoverageStore
from service.covered import WorkloadCoverage
from service.jobs.coverage import measure_coverage
from service.storage import MAX_LIMIT


@click.command("coverage")
@click.option("--workloads", is_flag=True, help="Tell of each workload, in place of sources and hosts.")
@output_format()
@click.pass_obj
def command(invocation: Invocation, *, workloads: bool, shape: str) -> None:
    """Tell which source tells of which host, and since when it is silent.

    Silent is what was not heard for an hour, up to the latest event of all. Only files of the lake that were not
    counted yet are read.
    """
    home = home_of(invocation)
    with terminal.progress() as progress:
        measure_coverage(home, progress=progress)
    if home.coverage.latest() is None:
        raise CommandError("the lake is empty (run wharfinger ingest first)")
    if shape == "ndjson":
        write_ndjson(every_workload(home.coverage) if workloads else home.coverage.sources(), None)
    elif workloads:
        _show_workloads(list(every_workload(home.coverage)))
    else:
        _show_sources(home.coverage)


def every_workload(store: CoverageStore) -> Iterator[WorkloadCoverage]:
    """Read what is told of every workload, page by page."""
    cursor: str | None = None
    while True:
        page, cursor = store.workloads(limit=MAX_LIMIT, cursor=cursor)
        yield from page
        if cursor is None:
            return


def _show_sources(store: CoverageStore) -> None:
    rows = [
        (
            one.host or "(not named)",
            one.source,
            f"{one.workloads:,}",
            f"{one.events:,}",
            f"{100 * one.unattributed / one.events:.1f} %" if one.events else "",
            *map(_moment, (one.first_seen, one.last_seen, one.silent_since)),
        )
        for one in store.sources()
    ]
    columns = ("host", "source", "workloads", "events", "unattributed", "first (UTC)", "last (UTC)", "silent since")
    terminal.table(columns, rows, right=("workloads", "events", "unattributed"))


def _show_workloads(found: list[WorkloadCoverage]) -> None:
    rows = [
        (
            one.workload,
            one.source,
            one.host or "(not named)",
            f"{one.events:,}",
            *map(_moment, (one.first_seen, one.last_seen, one.silent_since)),
        )
        for one in found
    ]
    columns = ("workload", "source", "host", "events", "first (UTC)", "last (UTC)", "silent since")
    terminal.table(columns, rows, right=("events",))


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
