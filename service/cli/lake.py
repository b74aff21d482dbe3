"""`wharfinger lake`: what the store of events holds, compaction, and retention."""

from datetime import UTC, datetime, timedelta

import click

from features.holdings import Holding
from service.cli import terminal
from service.cli.findings import write_ndjson
from service.cli.group import Invocation
from service.cli.options import home_of, output_format
from service.jobs import lake as jobs

NUMBERS = ("files", "events", "MB")


@click.group("lake")
def command() -> None:
    """Show, compact and expire the store of events."""


@command.command("status")
@output_format()
@click.pass_obj
def status(invocation: Invocation, shape: str) -> None:
    """List what the lake holds of each day and class of events."""
    home = home_of(invocation)
    keep = jobs.spans(home.settings)
    found = home.lake.holdings()
    if shape == "ndjson":
        write_ndjson(({**_plain(h), "expires": _expires(h, keep)} for h in found), None)
    elif found:
        terminal.table(
            ("day", "class", *NUMBERS, "first (UTC)", "last (UTC)", "schema", "kept until"),
            [(*_cells(h), _expires(h, keep) or "for ever") for h in found],
            right=NUMBERS,
        )
    else:
        terminal.say("the lake is empty (run wharfinger ingest)")


@command.command("compact")
@click.pass_obj
def compact(invocation: Invocation) -> None:
    """Rewrite the files of days that are over into few, sorted by time.

    Files of an earlier schema become files of today's on the way. It can be stopped, and run again to go on.
    """
    home = home_of(invocation)
    with terminal.progress() as progress:
        done = jobs.compact(home, datetime.now(UTC), progress=progress)
    rows = [
        (f"{c.day}", c.kept, f"{c.files_before:,}", f"{c.files:,}", _megabytes(c.size_before), _megabytes(c.size))
        for c in done
    ]
    if rows:
        numbers = ("files before", "files", "MB before", "MB")
        terminal.table(("day", "class", *numbers), rows, right=numbers)
    else:
        terminal.say("nothing to do: the files of every day that is over are compact")


@command.command("expire")
@click.pass_obj
def expire(invocation: Invocation) -> None:
    """Remove the days that the settings keep no longer; an ingest does so by itself."""
    home = home_of(invocation)
    if not jobs.spans(home.settings):
        terminal.say("everything is kept for ever (see keep_network_days, keep_system_days, keep_application_days)")
        return
    terminal.say(f"{jobs.expire(home, datetime.now(UTC)):,} files removed")


def _cells(held: Holding) -> tuple[str, ...]:
    return (
        f"{held.day}",
        held.kept or "",
        f"{held.files:,}",
        f"{held.events:,}",
        _megabytes(held.size),
        f"{held.first:%H:%M:%S}",
        f"{held.last:%H:%M:%S}",
        f"{held.old} outdated" if held.old else "current",
    )


def _plain(held: Holding) -> dict[str, object]:
    return {
        "day": held.day,
        "class": held.kept,
        "files": held.files,
        "outdated_files": held.old,
        "events": held.events,
        "bytes": held.size,
        "first": held.first,
        "last": held.last,
    }


def _expires(held: Holding, keep: dict[str, timedelta]) -> str | None:
    """Give the day whose first event removes these; None if they are kept for ever."""
    span = keep.get(held.kept or "")
    return f"{held.day + timedelta(days=1) + span}" if span else None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}"
