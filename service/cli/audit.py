"""`wharfinger audit`: who changed what."""

from collections.abc import Iterator
from datetime import datetime

import click

from service.access.audit import AuditLog
from service.access.audit_record import AuditRecord
from service.cli import options, terminal
from service.cli.findings import write_ndjson
from service.cli.group import Invocation

_PAGE = 1000


@click.command("audit")
@options.since("Only from then on.")
@options.output_format()
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Rows of a table."
)
@click.pass_obj
def command(invocation: Invocation, since: datetime | None, shape: str, limit: int) -> None:
    """List who changed what.

    The newest comes first: when, who, from where, what, to what, and with which outcome, an HTTP status.
    A table shows as many as asked for, NDJSON all of them.
    """
    log = options.home_of(invocation).audit
    if shape == "ndjson":
        write_ndjson(_every(log, since), None)
        return
    rows = [
        (f"{one.at:%Y-%m-%d %H:%M:%S}", one.who, one.origin, one.operation, one.target, str(one.outcome))
        for one in log.records(limit=limit, since=since)
    ]
    if rows:
        terminal.table(("when (UTC)", "who", "from", "operation", "target", "outcome"), rows, right=("outcome",))
    else:
        terminal.say("nothing was changed" + (" since then" if since else " yet"))


def _every(log: AuditLog, since: datetime | None) -> Iterator[AuditRecord]:
    page = log.records(limit=_PAGE, since=since)
    while page:
        yield from page
        page = log.records(limit=_PAGE, before=page[-1].id, since=since)
