"""`wharfinger keys`: who may ask the service, and for what."""

import getpass
from datetime import UTC, datetime, timedelta

import click

from service.access.audit_record import AuditRecord
from service.access.callers import SCOPES, Scope
from service.cli import terminal
from service.cli.group import CommandError, Invocation
from service.cli.options import home_of
from service.wiring import Home


@click.group("keys")
def command() -> None:
    """Create, revoke and list API keys."""


@command.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True, help="What it may do; repeatable."
)
@click.option("--days", type=click.FloatRange(0, 3650, min_open=True), help="Days until it expires; else it does not.")
@click.pass_obj
def create(invocation: Invocation, name: str, scopes: tuple[Scope, ...], days: float | None) -> None:
    """Make a key for NAME and print it, once: what is stored is a hash.

    From the first key on the service answers nobody without one, running services within seconds.
    """
    home, now = home_of(invocation), datetime.now(UTC)
    expires = None if days is None else now + timedelta(days=days)
    key, shown = home.keys.create(name, scopes, now=now, expires=expires)
    _record(home, now, "create_key", key.prefix)
    click.echo(shown)
    click.echo(f"{key.prefix} may {', '.join(sorted(key.scopes))}; it is shown only now", err=True)


@command.command("revoke")
@click.argument("prefix")
@click.pass_obj
def revoke(invocation: Invocation, prefix: str) -> None:
    """Let the key with PREFIX open nothing any more, in running services within seconds; its sessions end as well."""
    home, now = home_of(invocation), datetime.now(UTC)
    if not home.keys.revoke(prefix, now=now):
        raise CommandError(f"there is no key {prefix!r} to revoke (wharfinger keys list shows those there are)")
    _record(home, now, "revoke_key", prefix)
    terminal.say(f"{prefix} is revoked")


@command.command("list")
@click.pass_obj
def show_all(invocation: Invocation) -> None:
    """List the keys by their prefix, never the keys themselves."""
    now = datetime.now(UTC)
    rows = [
        (
            key.prefix,
            key.name,
            " ".join(scope for scope in SCOPES if scope in key.scopes),
            key.state(now),
            *(f"{moment:%Y-%m-%d %H:%M}" if moment else "never" for moment in (key.expires, key.last_used)),
        )
        for key in home_of(invocation).keys.all()
    ]
    if rows:
        terminal.table(("prefix", "name", "scopes", "state", "expires (UTC)", "last used (UTC)"), rows)
    else:
        terminal.say("no keys yet: only this machine is answered, and asked for none (run wharfinger keys create)")


def _record(home: Home, now: datetime, operation: str, prefix: str) -> None:
    who = f"user:{getpass.getuser()}"
    home.audit.add(AuditRecord(at=now, who=who, origin="command line", operation=operation, target=prefix, outcome=200))
