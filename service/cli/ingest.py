"""`wharfinger ingest`: telemetry files into the lake, with counts per source."""

from pathlib import Path

import click

from service.cli import terminal
from service.cli.group import FAILURE, Invocation
from service.cli.options import home_of
from service.cli.sending import client_of, send_files
from service.jobs.ingest import IngestReport, ingest


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--source", metavar="NAME", help="Source of every record; else recognised from the content.")
@click.option("--host", metavar="NAME", help="Host of records that do not name one.")
@click.option("--to", "url", metavar="URL", help="Send to a service, with the key in WHARFINGER_API_KEY.")
@click.option("--ca-file", metavar="FILE", help="Authorities (PEM) to trust with --to, in place of the machine's.")
@click.pass_obj
def command(
    invocation: Invocation,
    paths: tuple[Path, ...],
    source: str | None,
    host: str | None,
    url: str | None,
    ca_file: str | None,
) -> int:
    """Read telemetry files into the lake.

    PATH is a file or a folder: NDJSON, JSON, Zeek TSV, gzip or not. The same input twice adds nothing; a line that
    cannot be read is set aside with the reason, and the rest goes on.
    """
    if url is not None:
        return _send(url, ca_file, paths, source, host)
    home = home_of(invocation)
    with terminal.progress() as progress:
        report = ingest(home, paths, source=source, host=host, progress=progress)
    show(report)
    if report.useful:
        return 0
    terminal.note("wharfinger: nothing was accepted (see the reasons in the reject file, or name the --source)")
    return FAILURE


def _send(url: str, ca_file: str | None, paths: tuple[Path, ...], source: str | None, host: str | None) -> int:
    with terminal.progress() as progress, client_of(url, ca_file) as client:
        report, faults = send_files(client, paths, source=source, host=host, progress=progress)
    show(report)
    for fault in faults:
        terminal.note(f"rejected: {fault}")
    if report.useful:
        return 0
    terminal.note("wharfinger: nothing was accepted (see the reasons above, or name the --source)")
    return FAILURE


def show(report: IngestReport) -> None:
    """Write the counts per source."""
    rows = [
        (name, f"{report.accepted[name]:,}", f"{report.duplicate[name]:,}", f"{report.rejected[name]:,}")
        for name in report.sources
    ]
    numbers = ("accepted", "duplicate", "rejected")
    if rows:
        terminal.table(("source", *numbers), rows, right=numbers)
    if report.reject_file:
        terminal.say(f"rejected lines, with reasons: {report.reject_file}")
