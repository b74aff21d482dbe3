"""`wharfinger outputs`: where alerts are sent, whether it works, and what did not arrive."""

import os
from collections import Counter
from datetime import UTC, datetime
from random import Random

import click

from service.cli import terminal
from service.cli.group import CommandError, Invocation
from service.cli.options import home_of
from service.jobs.deliver import deliver, try_out
from service.outbox import DEAD, PENDING
from service.outputs.configuration import kind_of
from service.outputs.notices import headline
from service.wiring import Home


@click.group("outputs")
def command() -> None:
    """List and test outputs, deliver what is due, and see what did not arrive."""


@command.command("list")
@click.pass_obj
def show_all(invocation: Invocation) -> None:
    """List the configured outputs and how many messages wait for each."""
    home = home_of(invocation)
    counts = home.outbox.counts()
    rows = [
        (
            output.name,
            kind_of(output),
            output.severity,
            ", ".join(output.families) or "all",
            str(counts.get((output.name, PENDING), 0)),
            str(counts.get((output.name, DEAD), 0)),
        )
        for output in home.outputs
    ]
    if rows:
        columns = ("name", "type", "severity", "families", "pending", "dead letters")
        terminal.table(columns, rows, right=("pending", "dead letters"))
    else:
        terminal.say("no outputs are configured (docs/outputs.md says how)")


@command.command("test")
@click.argument("name")
@click.pass_obj
def test(invocation: Invocation, name: str) -> None:
    """Send a message to the output NAME now, marked as a test."""
    home = home_of(invocation)
    output = next((output for output in home.outputs if output.name == name), None)
    if output is None:
        known = ", ".join(output.name for output in home.outputs) or "there are none"
        raise CommandError(f"there is no output {name} ({known})")
    try_out(output, home.settings.public_url, now=datetime.now(UTC), environ=os.environ)
    terminal.say(f"{name}: the message was sent")


@command.command("deliver")
@click.pass_obj
def deliver_now(invocation: Invocation) -> int:
    """Deliver what is due, once; `serve` does so all the time. Ends with 1 if something failed."""
    return 1 if deliver_and_tell(home_of(invocation)) else 0


@command.command("dead-letters")
@click.option("--retry", is_flag=True, help="Send them again, but for those that a later message has overtaken.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Rows.")
@click.pass_obj
def dead_letters(invocation: Invocation, *, retry: bool, limit: int) -> None:
    """List messages that were given up, the latest first, and why."""
    home = home_of(invocation)
    if retry:
        due = home.outbox.retry(now=datetime.now(UTC))
        terminal.say(f"{due} due again, {sum(_dead(home).values())} left")
        return
    rows = [
        (
            message.output,
            headline(message.notice),
            f"{message.changed:%Y-%m-%d %H:%M}",
            str(message.attempts),
            message.last_error,
        )
        for message in home.outbox.dead_letters(limit)
    ]
    if rows:
        columns = ("output", "message", "given up (UTC)", "attempts", "why")
        terminal.table(columns, rows, right=("attempts",), below=True)
    total = sum(_dead(home).values())
    terminal.say(f"{total:,} dead letters" if total != 1 else "1 dead letter")


def deliver_and_tell(home: Home) -> int:
    """Deliver what is due and say on standard error how it went; give how many attempts failed."""
    counted: Counter[str] = Counter()
    for attempt in deliver(home, clock=lambda: datetime.now(UTC), chance=Random(), environ=os.environ):  # noqa: S311 -- spreads load
        counted[attempt.result] += 1
        if attempt.error:
            click.echo(f"{attempt.message.output}: {headline(attempt.message.notice)}: {attempt.error}", err=True)
    if counted:
        kinds = [f"{counted[kind]} {kind}" for kind in ("delivered", "failed", "dead") if counted[kind]]
        click.echo(f"messages to outputs: {', '.join(kinds)}", err=True)
    return counted["failed"] + counted["dead"]


def _dead(home: Home) -> dict[str, int]:
    return {output: count for (output, state), count in home.outbox.counts().items() if state == DEAD}
