"""Checks of what an installation stands on: settings, packages, files and room."""

import os
import shutil
import stat
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from service.jobs.doctor_findings import Found, Site, fail, ok, warn
from service.settings import FILE, PREFIX, declared

LITTLE_ROOM, HARDLY_ANY = 0.1, 0.01  # shares of a disk
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def settings(site: Site) -> Iterator[Found]:
    """Look for variables that set nothing; a file with unknown names, or a wrong value, cannot even be loaded."""
    known = {PREFIX + item.name.upper() for item in declared()} | {PREFIX + "HOME"}
    strangers = sorted(name for name in site.environ if name.startswith(PREFIX) and name not in known)
    if strangers:
        yield warn(f"{', '.join(strangers)} set nothing", "correct the names (docs/settings.md) or unset them")
    given = sum(getattr(site.settings, item.name) != item.default for item in declared())
    yield ok(f"{given} of {len(declared())} differ from their defaults")


def packages(site: Site) -> Iterator[Found]:
    """Look for the optional packages that the settings ask for."""
    wanted = {
        "postgresql": ("psycopg", site.settings.database_url.startswith("postgres")),
        "objects": ("obstore", "://" in site.settings.lake),
        "dask": ("distributed", site.settings.executor == "dask"),
    }
    asked = {extra: package for extra, (package, needed) in wanted.items() if needed}
    missing = {extra: package for extra, package in asked.items() if find_spec(package) is None}
    for extra, package in missing.items():
        yield fail(f"{package} is not installed", f"run: pip install 'wharfinger[{extra}]'")
    if not missing:
        yield ok(f"{', '.join(asked.values())} installed" if asked else "the settings ask for no optional package")


def home(site: Site) -> Iterator[Found]:
    """Look at the home directory: whether it is there, ours, and closed to others."""
    root = site.settings.home
    if not root.is_dir():
        yield fail(f"there is no {root}", "run wharfinger ingest or demo, or name another with --home")
        return
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        yield fail(f"{root} cannot be read or written by this user", f"run as user id {root.stat().st_uid}")
    elif root.stat().st_mode & OTHERS:
        yield warn(f"other users can enter {root}", f"run: chmod 700 {root}")
    else:
        yield ok(f"{site.home.settings.home} is this user's alone")


def disk(site: Site) -> Iterator[Found]:
    """Measure the room that is left where home and lake lie."""
    places = {site.settings.home}
    if site.settings.lake and "://" not in site.settings.lake:
        places.add(Path(site.settings.lake).expanduser().absolute())
    for place in sorted(places):
        usage = shutil.disk_usage(place)
        yield room(str(place), usage.free, usage.total)


def room(place: str, free: int, total: int) -> Found:
    """Judge the bytes that are free on a disk of `total` bytes."""
    told = f"{free / 1e9:,.1f} of {total / 1e9:,.1f} GB are free at {place}"
    advice = "free space, or let less be kept (docs/settings.md: keep_..._days)"
    if free < HARDLY_ANY * total:
        return fail(told, advice)
    return warn(told, advice) if free < LITTLE_ROOM * total else ok(told)


def private_files(site: Site) -> Iterator[Found]:
    """Look for files with secrets, or with what should be nobody else's, that others can read."""
    root = site.settings.home
    url = site.settings.database_url
    tells = bool(url and sa.make_url(url).password) or bool(site.settings.oidc_client_secret)
    own = [*sorted((root / "keys").glob("*.key")), *sorted(root.glob("wharfinger.db*"))]
    if tells and (root / FILE).exists():
        own.append(root / FILE)
    own += [Path(named) for named in (site.settings.tls_key, site.settings.oidc_client_secret_file) if named]
    unsafe = [path for path in own if path.exists() and path.stat().st_mode & OTHERS]
    for path in unsafe:
        level = fail if path.suffix == ".key" else warn
        yield level(f"{path} can be read by others", f"run: chmod 600 {path}")
    if not unsafe:
        yield ok(f"{len(own)} files are this user's alone")
