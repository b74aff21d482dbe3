"""`wharfinger verdict`: what a person says of an incident, and what was said before."""

import getpass
from datetime import UTC, datetime
from typing import get_args

import click

from service.cli import terminal
from service.cli.findings import first_reason, write_ndjson
from service.cli.group import CommandError, Invocation
from service.cli.options import Moment, home_of, output_format
from service.jobs.proposals import proposals
from service.jobs.verdicts import Ruled, give_verdict
from service.statements import Ruling, Verdict
from service.wiring import Home


@click.command("verdict")
@click.argument("incident", required=False)
@click.argument("verdict", type=click.Choice(get_args(Ruling)), required=False)
@click.option("--note", default="", help="Why.")
@click.option("--until", type=Moment(), metavar="ISO", help="When it expires; after 90 days by default.")
@click.option("--alone", is_flag=True, help="Not for workloads of the same image in the same cohort.")
@click.option("--withdraw", metavar="ID", help="Withdraw a verdict instead.")
@click.option("--propose", is_flag=True, help="List the alerts whose verdict would help most instead.")
@output_format()
@click.pass_obj
def command(
    invocation: Invocation,
    incident: str | None,
    verdict: Ruling | None,
    note: str,
    until: datetime | None,
    *,
    withdraw: str | None,
    shape: str,
    alone: bool,
    propose: bool,
) -> None:
    """Say of an incident what it was; without arguments, list what was said.

    INCIDENT is the id that `incidents --format ndjson` gives: start/workload.
    """
    home = home_of(invocation)
    if withdraw is not None:
        _withdraw(home, withdraw)
        return
    if propose:
        _propose(home, shape)
        return
    if incident is None:
        _list(home, shape)
        return
    if verdict is None:
        raise CommandError(f"say what it was: {', '.join(get_args(Ruling))}")
    ruled = Ruled(incident=incident, verdict=verdict, by=getpass.getuser(), note=note, until=until, siblings=not alone)
    given = give_verdict(home, ruled, now=datetime.now(UTC))
    terminal.say(f"{given.id}: {given.workload} {verdict}, until {given.until:%Y-%m-%d}; score again to apply it")


def _withdraw(home: Home, name: str) -> None:
    if home.feedback.withdraw(Verdict, name) is None:
        raise CommandError(f"there is no verdict {name} (wharfinger verdict lists those there are)")
    terminal.say(f"{name} is withdrawn")


def _propose(home: Home, shape: str) -> None:
    found = proposals(home)
    if shape == "ndjson":
        write_ndjson(found, None)
        return
    rows = [(one.alert.id, first_reason(one.alert.strongest), one.why) for one in found]
    if rows:
        terminal.table(("incident", "first reason", "why ask"), rows)
    terminal.say(f"{len(rows)} proposals" if len(rows) != 1 else "1 proposal")


def _list(home: Home, shape: str) -> None:
    found = home.feedback.statements(Verdict)
    if shape == "ndjson":
        write_ndjson(found, None)
        return
    rows = [
        (one.id, one.verdict, one.workload, f"{one.start:%Y-%m-%d %H:%M}", f"{one.until:%Y-%m-%d}", one.by, one.note)
        for one in found
    ]
    if rows:
        terminal.table(("id", "verdict", "workload", "from (UTC)", "until", "by", "note"), rows)
    terminal.say(f"{len(rows)} verdicts" if len(rows) != 1 else "1 verdict")
