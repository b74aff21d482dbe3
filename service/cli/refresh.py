"""`wharfinger refresh`: a new model, its gates, and where the time went."""

from datetime import datetime

import click

from service.cli import terminal
from service.cli.group import FAILURE, Invocation
from service.cli.options import home_of, until
from service.jobs.refresh import RefreshReport, refresh


@click.command("refresh")
@until("Learn from what lies before this time; else from everything.")
@click.option("--days", type=click.IntRange(min=1), metavar="N", help="Days to learn from; else the setting.")
@click.option(
    "--executor", type=click.Choice(["local", "threads", "dask"]), help="Where heavy work runs; else the setting."
)
@click.option("--scheduler", metavar="tcp://...", help="Address of the Dask scheduler.")
@click.option("--exact", is_flag=True, help="Learn all windows at hand anew, and say how far memory lay from that.")
@click.pass_obj
def command(
    invocation: Invocation,
    until: datetime | None,
    days: int | None,
    executor: str | None,
    scheduler: str | None,
    *,
    exact: bool,
) -> int:
    """Learn baselines and a model from the lake.

    Windows, baselines, forest, calibration, validation; the new model becomes the champion if it passes every gate, and
    the one before it stays otherwise. What was learnt before is remembered: only new days are extracted and learnt. A
    refresh that was stopped goes on where it was. Only one refresh runs at a time.
    """
    home = home_of(invocation)
    with terminal.progress() as progress:
        report = refresh(
            home, until=until, days=days, executor=executor, scheduler=scheduler, exact=exact, progress=progress
        )
    show(report)
    if report.promoted:
        return 0
    failed = ", ".join(gate.name for gate in report.gates if not gate.passed)
    terminal.note(
        f"wharfinger: {report.version} was not promoted, it fails: {failed} "
        f"(ingest more telemetry, or promote it by hand: wharfinger models promote {report.version})"
    )
    return FAILURE


def show(report: RefreshReport) -> None:
    """Write the gates and where the time went."""
    rows = [(gate.name, gate.found, gate.wanted, "passes" if gate.passed else "FAILS") for gate in report.gates]
    terminal.table(("gate", "found", "wanted", ""), rows)
    if report.audit:
        apart = [
            (one.table, f"{one.rows:,}", f"{one.only_first:,}", f"{one.only_second:,}", f"{one.largest:.1e}")
            for one in report.audit
        ]
        terminal.table(("baseline", "rows in both", "only remembered", "only exact", "largest difference"), apart)
    elif report.metrics["learnt_from"]:
        terminal.say(f"remembered up to {report.metrics['learnt_from']}, learnt from there")
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in report.seconds.items() if seconds >= 0.05)  # noqa: PLR2004 -- what rounds to 0.1
    terminal.say(f"model {report.version} {'is the champion' if report.promoted else 'is saved'} ({steps})")
