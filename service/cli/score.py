"""`wharfinger score`: every closed window, as a table or as NDJSON."""

from datetime import datetime
from pathlib import Path

import click

from service.cli import terminal
from service.cli.findings import SHOWN, show_scores, write_ndjson
from service.cli.group import Invocation
from service.cli.options import home_of, output_format, since, until
from service.cli.outputs import deliver_and_tell
from service.jobs.score import score


@click.command("score")
@since("First window to score; else the lake's first.")
@until("Score windows before this time; else every closed window.")
@output_format()
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write NDJSON to this file."
)
@click.option(
    "--limit", type=click.IntRange(min=1), default=SHOWN, show_default=True, metavar="N", help="Rows of the table."
)
@click.pass_obj
def command(
    invocation: Invocation,
    since: datetime | None,
    until: datetime | None,
    shape: str,
    output: Path | None,
    limit: int,
) -> None:
    """Score every closed window, strongest first.

    A window is closed when the lake holds an event after its end. The scores are stored too, for the API, the dashboard
    and `incidents`, and outputs are told of alerts. NDJSON has every window, by time and workload.
    """
    home = home_of(invocation)
    outputs = home.outputs  # a mistake in them is told before the work begins
    with terminal.progress() as progress:
        scores = score(home, since=since, until=until, progress=progress)
    if outputs:
        deliver_and_tell(home)
    if shape == "ndjson" or output is not None:
        write_ndjson(scores, output)
    if shape == "table":
        show_scores(scores, limit)
