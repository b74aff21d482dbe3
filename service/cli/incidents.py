"""`wharfinger incidents`: what to look at, from the stored scores."""

from datetime import datetime

import click

from models.scores import SEVERITIES, Severity
from service.cli import terminal
from service.cli.findings import first_reason, write_ndjson
from service.cli.group import CommandError, Invocation
from service.cli.options import home_of, output_format, since, until
from service.jobs.incidents import every
from service.selection import Selection


@click.command("incidents")
@click.option("--workload", metavar="NAME", help="Only alerts of this workload.")
@since("Only alerts with a strange window that starts at or after this time.")
@until("Only alerts with a strange window that starts before this time.")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES[1:]),
    default="high",
    show_default=True,
    help="Least severity of a strange window.",
)
@output_format()
@click.pass_obj
def command(
    invocation: Invocation,
    *,
    workload: str | None,
    since: datetime | None,
    until: datetime | None,
    severity: Severity,
    shape: str,
) -> None:
    """List alerts: runs of strange windows.

    Strange windows of one workload that lie within six hours are one alert, which is given in full, also where only
    some of its windows are what was asked for. Reads the scores that `score` has stored.
    """
    home = home_of(invocation)
    if home.store.span() is None:
        raise CommandError("no scores are stored yet (run wharfinger score first)")
    found = every(home.database, Selection(workload=workload, since=since, until=until), severity)
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
    terminal.say(f"{len(rows):,} alerts" if len(rows) != 1 else "1 alert")
