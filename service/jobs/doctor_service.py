"""Checks of what an installation does: its model, who may reach it, what it tells others, and who leads."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from models.errors import ArtefactError
from service.access.gate import login_of, provider_of
from service.jobs.doctor_findings import Found, Site, fail, ok, warn
from service.jobs.follow import LEASE
from service.leases import SECONDS, held
from service.listening import callers_are_known, is_loopback, require_certificate
from service.outbox import DEAD, PENDING
from service.outputs.credentials import read_secret
from service.outputs.errors import DeliveryError, OutputError
from service.outputs.output import Output
from service.settings import SettingsError
from service.wiring import champion

OLD_MODEL = timedelta(days=7)
SOON = timedelta(days=14)


def model(site: Site) -> Iterator[Found]:
    """Load the champion as the service does: signature, hashes, and whether it was made for these features."""
    try:
        detector = champion(site.home)
        if detector is None:
            yield warn("there is no model yet", "run wharfinger refresh")
            return
        created = datetime.fromisoformat(site.home.registry.manifest(detector.version)["created_at"])
    except ArtefactError as error:
        yield fail(str(error), "run wharfinger models list, then promote or refresh")
        return
    age = site.now - created
    if age > OLD_MODEL:
        yield warn(f"{detector.version} is {age.days} days old", "run wharfinger refresh every night; see its gates")
    else:
        yield ok(f"{detector.version} loads, signed and whole")


def access(site: Site) -> Iterator[Found]:
    """Tell which keys open something, and which soon will not."""
    keys = [key for key in site.home.keys.all() if key.state(site.now) == "active"]
    for key in keys:
        if key.expires and key.expires - site.now < SOON:
            told = f"the key {key.prefix} ({key.name}) expires on {key.expires:%Y-%m-%d %H:%M} UTC"
            yield warn(told, "make its holder a new one: wharfinger keys create")
    try:
        provider = provider_of(site.settings)
        login_of(site.settings, provider)
    except SettingsError as error:
        yield fail(str(error))
        return
    yield ok(f"active keys: {len(keys)}{', and whom the identity provider vouches for' if provider else ''}")


def listening(site: Site) -> Iterator[Found]:
    """See whether `serve` would listen where it is told to, and whether keys would go over the network in clear."""
    settings, host = site.settings, site.settings.listen_host
    try:
        require_certificate(settings)
        known = callers_are_known(settings, site.home.keys, site.now)
    except SettingsError as error:
        yield fail(str(error))
        return
    if is_loopback(host):
        yield ok(f"{host} port {settings.listen_port}, which this machine alone reaches")
    elif not known:
        yield fail(f"serve refuses to listen on {host} without keys", "run wharfinger keys create NAME --scope read")
    elif not (settings.tls_certificate or settings.trusted_proxies):
        yield warn(
            f"keys travel in clear to {host}", "set tls_certificate and tls_key, or use a proxy (docs/security.md)"
        )
    else:
        yield ok(f"{host} port {settings.listen_port}")


def outputs(site: Site) -> Iterator[Found]:
    """Read the configured outputs and their secrets, and count what did not arrive; nothing is sent."""
    try:
        configured = site.home.outputs
    except OutputError as error:
        yield fail(str(error), "see docs/outputs.md")
        return
    for output in configured:
        yield from _secrets(site, output)
    counts = site.home.outbox.counts()
    dead = sum(count for (_, state), count in counts.items() if state == DEAD)
    if dead:
        yield warn(f"{dead:,} messages were given up", "run wharfinger outputs dead-letters")
    waiting = sum(count for (_, state), count in counts.items() if state == PENDING)
    names = ", ".join(output.name for output in configured)
    yield ok(f"{names}; {waiting:,} messages wait" if configured else "none are configured")


def leader(site: Site) -> Iterator[Found]:
    """See who leads, and whether it still renews its lease; takes a few seconds if somebody holds it."""
    before = held(site.home.database, LEASE)
    if before is None:
        yield ok("no server scores windows now")
        return
    site.wait(SECONDS / 4 + 1)  # renewed every quarter of it
    after = held(site.home.database, LEASE)
    if after == before:
        told = f"{before[0]} leads, and has not renewed its lease just now"
        yield warn(
            told, f"look again: another server takes over after {SECONDS:g} s; if there is none, run wharfinger serve"
        )
    else:
        yield ok(f"{after[0] if after else 'nobody'} leads")


def _secrets(site: Site, output: Output) -> Iterator[Found]:
    for name in output.__struct_fields__:
        if name.endswith("_env"):
            what = name.removesuffix("_env")
            try:
                read_secret(getattr(output, name), getattr(output, f"{what}_file"), site.environ)
            except DeliveryError as error:
                yield fail(f"{output.name}: {error}", "set it where wharfinger serve is started, or correct the table")
