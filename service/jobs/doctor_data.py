"""Checks of what an installation keeps: lake, what was set aside, spool and database, and what was heard when."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from service.database import DatabaseError
from service.jobs.doctor_findings import Found, Site, fail, ok, warn
from service.jobs.readiness import lake_fault, store_fault
from service.migrations import HEAD

RECENT = timedelta(days=7)
WAITS_LONG = timedelta(minutes=5)
SHOWN = 5
_DAMAGED = ("malformed", "not a database")  # what SQLite says where it cannot even open the file
_RESTORE = "restore a backup (wharfinger database restore)"


def lake(site: Site) -> Iterator[Found]:
    """Read what the lake holds, and in which versions of the schema."""
    if fault := lake_fault(site.home):
        yield fail(fault, "check the setting lake, its permissions, and whether the place can be reached")
        return
    held = site.home.lake.holdings()
    if not held:
        yield warn("the lake is empty", "run wharfinger ingest, or send events to a server")
        return
    if old := sum(one.old for one in held):
        yield warn(f"{old:,} files are of an earlier schema, which reading migrates", "run wharfinger lake compact")
    files, events, days = (sum(one.files for one in held), sum(one.events for one in held), {one.day for one in held})
    yield ok(f"{events:,} events of {len(days)} days in {files:,} files")


def set_aside(site: Site) -> Iterator[Found]:
    """Count what could not be read lately, and what the disk has damaged."""
    root = site.settings.home
    letters = [path for path in sorted(site.home.rejects.glob("*")) if path.is_file()]
    recent = [path for path in letters if path.stat().st_mtime >= (site.now - RECENT).timestamp()]
    damaged = list((root / "spool").glob("*.damaged"))
    if damaged:
        yield warn(f"{len(damaged)} files of {root / 'spool'} are damaged", "check the disk; then move them away")
    if recent:
        lines = sum(_lines(path) for path in recent)
        told = f"{lines:,} records of the last {RECENT.days} days could not be read"
        yield warn(told, f"see the reason of each in {recent[-1]}")
    if not damaged and not recent:
        yield ok(f"nothing in the last {RECENT.days} days")


def spool(site: Site) -> Iterator[Found]:
    """See whether events can be accepted, and whether they are taken on."""
    if fault := site.home.spool.fault():
        yield fail(fault, "free space; if it is full, see that wharfinger serve runs and what its log says")
        return
    backlog = site.home.spool.backlog()
    if backlog.oldest and site.now - backlog.oldest > WAITS_LONG:
        told = f"{backlog.files:,} requests wait for the lake, the oldest since {backlog.oldest:%Y-%m-%d %H:%M} UTC"
        yield warn(told, "run wharfinger serve with score_seconds above 0; if it runs, see its log")
    else:
        yield ok(f"{backlog.files:,} requests wait for the lake")


def database(site: Site) -> Iterator[Found]:
    """See whether the database can be reached, is of today's schema, takes writes, and is whole."""
    found = site.home.database
    try:
        revision = found.revision()
    except DatabaseError as error:
        if any(sign in str(error) for sign in _DAMAGED):
            yield fail(f"{found.name} is damaged: {error}", _RESTORE)
        else:
            yield fail(str(error), "start the database, or correct database_url")
        return
    if revision != HEAD:
        yield fail(
            f"{found.name} has the schema {revision}, this version needs {HEAD}", "run wharfinger database migrate"
        )
        return
    if fault := store_fault(site.home):
        yield fail(f"{found.name} {fault}", "free space, or let this user write there")
    elif damage := found.damage():
        yield fail(f"{found.name} is damaged: {damage}", _RESTORE)
    else:
        yield ok(f"{found.name}: schema {HEAD}, {found.size() / 1e6:,.1f} MB, writable and whole")


def clock(site: Site) -> Iterator[Found]:
    """Compare this machine's clock with the newest event."""
    span, heard = site.home.lake.span(), site.home.heard.latest()
    times = [*heard, *([span[1]] if span else [])]
    if not times:
        yield ok(f"{site.now:%Y-%m-%d %H:%M:%S} UTC; there is no event to compare it with")
        return
    newest, ahead = max(times), timedelta(seconds=site.settings.lateness_seconds)
    if newest > site.now + ahead:
        told = f"the newest event is of {newest:%Y-%m-%d %H:%M} UTC, here it is {site.now:%Y-%m-%d %H:%M}"
        yield warn(told, "set this machine's clock, or the sender's: such events close no window")
    else:
        yield ok(f"the newest event is of {newest:%Y-%m-%d %H:%M} UTC, before this machine's time")


def sources(site: Site) -> Iterator[Found]:
    """Tell which senders fell silent."""
    patience = timedelta(seconds=site.settings.idle_source_seconds)
    heard = site.home.heard.by_sender()
    silent = [(name, at) for name, at in heard.items() if site.now - at > patience]
    for (source, host), at in silent[:SHOWN]:
        told = f"{source} of {host or 'no host'} is silent since {at:%Y-%m-%d %H:%M} UTC"
        yield warn(told, "see whether its sender runs and reaches this service")
    if len(silent) > SHOWN:
        yield warn(f"{len(silent) - SHOWN} more are silent")
    if not heard:
        yield ok("none has sent events to a server yet")
    elif len(silent) < len(heard):
        yield ok(f"{len(heard) - len(silent)} of {len(heard)} were heard in the last {patience.total_seconds():,.0f} s")


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
