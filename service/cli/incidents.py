"""`wharfinger incidents`: what to look at, from the stored scores."""

from collections.abc import Iterator
from datetime import datetime

import click

from models.incidents import alerts
from models.scores import SEVERITIES, Score, Severity
from service.cli import terminal
from service.cli.findings import first_reason, write_ndjson
from service.cli.group import CommandError, Invocation
from service.cli.options import home_of, output_format, since
from service.storage import MAX_LIMIT, ScoreStore


@click.command("incidents")
@since("Only windows that start at or after this time.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES[1:]),
    default="high",
    show_default=True,
    help="Least severity of a strange window.",
)
@output_format()
@click.pass_obj
def command(invocation: Invocation, since: datetime | None, severity: Severity, shape: str) -> None:
    """List alerts: runs of strange windows.

    Strange windows of one workload that lie within six hours are one alert. Reads the scores that `score` has stored.
    """
    store = home_of(invocation).store
    if store.span() is None:
        raise CommandError("no scores are stored yet (run wharfinger score first)")
    found = alerts(stored(store, since, severity), at_least=severity)
    if shape == "ndjson":
        write_ndjson(found, None)
        return
    rows = [
        (
            terminal.severity(alert.severity),
            f"{alert.bits:.1f}",
            alert.workload,
            terminal.moment(alert.start),
            str(alert.windows),
            first_reason(alert.strongest),
        )
        for alert in found
    ]
    if rows:
        columns = ("severity", "bits", "workload", "since (UTC)", "windows", "first reason")
        terminal.table(columns, rows, right=("bits", "windows"), below=True)
    terminal.say(f"{len(found):,} alerts" if len(found) != 1 else "1 alert")


def stored(store: ScoreStore, since: datetime | None, severity: Severity) -> Iterator[Score]:
    """Read every stored score at least this severe, page by page."""
    cursor: str | None = None
    while True:
        page, cursor = store.query(since=since, severity=severity, limit=MAX_LIMIT, cursor=cursor)
        yield from page
        if cursor is None:
            return
