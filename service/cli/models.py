"""`wharfinger models`: which model is in use, and which may be."""

import click
import msgspec

from service.cli import terminal
from service.cli.group import CommandError, Invocation
from service.cli.options import home_of


@click.group("models")
def command() -> None:
    """List, show, promote and roll back models."""


@command.command("list")
@click.pass_obj
def show_all(invocation: Invocation) -> None:
    """List the saved models, newest first."""
    registry = home_of(invocation).registry
    champion = registry.champion()
    rows = [
        (
            entry["version"],
            "champion" if entry["version"] == champion else "",
            terminal.moment(str(entry.get("created_at", ""))),
        )
        for entry in registry.versions()
    ]
    if rows:
        terminal.table(("version", "status", "created (UTC)"), rows)
    else:
        terminal.say("no models yet (run wharfinger refresh)")


@command.command("show")
@click.argument("version", required=False)
@click.pass_obj
def show_one(invocation: Invocation, version: str | None) -> None:
    """Print a model's manifest as JSON; without VERSION, the champion's."""
    registry = home_of(invocation).registry
    version = version or registry.champion()
    if version is None:
        raise CommandError("there is no model yet (run wharfinger refresh first)")
    click.echo(msgspec.json.format(msgspec.json.encode(registry.manifest(version)), indent=2).decode())


@command.command("promote")
@click.argument("version")
@click.pass_obj
def promote(invocation: Invocation, version: str) -> None:
    """Make VERSION the champion; running services take it up within seconds."""
    registry = home_of(invocation).registry
    before = registry.champion()
    registry.promote(version)
    terminal.say(f"champion: {version}" + (f" (before: {before})" if before and before != version else ""))


@command.command("rollback")
@click.pass_obj
def rollback(invocation: Invocation) -> None:
    """Make the champion before this one the champion again."""
    terminal.say(f"champion: {home_of(invocation).registry.rollback()}")
