"""Acts of the network that connect: beacons, sessions, uploads, first contacts, strangers who come in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from service.emulation.estate.cast import Cast
from service.emulation.estate.speaking import Turn, beat, resolve, speak
from service.emulation.estate.wire import Client, Site, client
from service.emulation.estate.world import Service
from service.emulation.steps import Beacon, Contact, Inbound, Session, Upload

_BROWSER = client("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "browser")
# a hello with one cipher and no extensions
_HELLO = Client("", "3fed133de60c35724739b913924b6c24", "t10i010000_d83cc789557e_000000000000", "TLSv10")
_DNS_OVER_HTTPS = Site("dns.google", ("8.8.8.8", "8.8.4.4"))
_METADATA = "169.254.169.254"
_KUBELET = 10250
_SPOKEN = {
    22: "ssh", 80: "http", 443: "ssl", 5432: "postgresql", 5672: "amqp", 6379: "redis", 6443: "ssl", 8080: "http",
    8443: "ssl", 9200: "http", _KUBELET: "ssl",
}  # fmt: skip


@dataclass(frozen=True)
class _Call:
    """A beacon's way out: to where, under which name, and as who; `borrowed`: the name is someone else's."""

    site: Site
    name: str
    who: Client
    port: int
    borrowed: bool


def beacon(cast: Cast, now: float, step: Beacon) -> None:
    site = _DNS_OVER_HTTPS if step.transport == "dns_over_https" else cast.sites[step.to]
    name = _borrowed(cast, step.name)
    port = step.port or (80 if step.transport == "http" and site.port == 443 else site.port)
    who = _BROWSER if step.client == "browser" else cast.client(step.client)
    if name and step.client != "victim" and step.transport == "tls":
        who = client(who.agent or "implant", "implant", old_tls=True)
    call = _Call(site, name or site.name, who, port, bool(name))
    cast.notes.append(f"{step.transport} to {call.name or site.addresses[0]}:{port}")
    ts = beat(cast.rng, now, step.lasting, step.period, step.jitter)
    speak(cast, step.on, ts, partial(_check_in, cast, step, call))


def _borrowed(cast: Cast, name: str) -> str:
    own = [site.name for site, _ in cast.victim.sites] if cast.victim else []
    known = [site.name for service in cast.world.services for site, _ in service.sites] or [cast.world.outside.git.name]
    if name == "own":
        return str(cast.world.pick(own or known))
    return str(cast.world.pick(known)) if name == "known" else name


def _check_in(cast: Cast, step: Beacon, call: _Call, turn: Turn) -> None:
    wire, rng, count, found = cast.world.wire, cast.rng, len(turn.ts), call.site.at(turn.ts)
    if step.look_ups:
        resolve(cast, turn, call.site)
    sizes = (
        step.sent + rng.integers(0, 30, count),
        step.received + rng.integers(0, 60, count),
        np.minimum(rng.lognormal(-2, 0.2, count), turn.left),
    )
    ends = (turn.ts, turn.address, found, call.port)
    if step.transport == "http":
        host = call.name or found
        wire.http(
            *ends, sizes=sizes, agent=call.who.agent or None, host=host, uri=step.uri, referrer=step.referrer or None
        )
    elif step.transport == "raw":
        wire.connections(*ends, sizes=sizes)
    elif step.transport == "fake_tls":
        wire.tls(*ends, sizes=sizes, who=_HELLO, name=None, established=False)
    elif call.borrowed:
        readable = call.who.version == "TLSv12"  # later versions hide the certificate
        subject = f"CN={call.name}" if readable else None
        validation = "self signed certificate" if readable else None
        server = call.site.addresses[0]  # the server's fingerprint is its own, whatever the name
        wire.tls(
            *ends,
            sizes=sizes,
            who=call.who,
            name=call.name,
            subject=subject,
            validation=validation,
            server=_hash(server),
        )
    else:
        wire.tls(*ends, sizes=sizes, who=call.who, name=call.name or None, server=call.site.server, alpn="h2")


def session(cast: Cast, now: float, step: Session) -> None:
    gap = step.lasting / step.count
    free = max(gap - step.seconds, 0.1 * gap)
    ts = now + np.arange(step.count) * gap + cast.rng.uniform(0, free, step.count)
    site = cast.sites[step.to]
    cast.notes.append(f"session to {site.name or site.addresses[0]}:{step.port}")
    speak(cast, step.on, ts, partial(_hold, cast, step, site), seconds=step.seconds)


def _hold(cast: Cast, step: Session, site: Site, turn: Turn) -> None:
    wire, rng, count = cast.world.wire, cast.rng, len(turn.ts)
    resolve(cast, turn, site, share=1.0)
    planned = step.seconds * rng.uniform(0.85, 1.0, count)
    seconds = np.minimum(planned, turn.left)
    share = seconds / planned
    sizes = (
        step.sent * share * rng.lognormal(0, 0.2, count),
        step.received * share * rng.lognormal(0, 0.2, count),
        seconds,
    )
    ends = (turn.ts, turn.address, site.at(turn.ts), step.port)
    state = np.where(share < 1, "S1", "SF").astype(object)
    if step.transport == "tls":
        wire.tls(
            *ends, sizes=sizes, who=cast.client(step.client), name=site.name or None, server=site.server, state=state
        )
    else:
        wire.connections(*ends, sizes=sizes, proto=step.transport, service=step.service or None, state=state)


def upload(cast: Cast, now: float, step: Upload) -> None:
    ts = now + np.arange(step.count) * step.every + cast.rng.uniform(0, 0.02 * step.every, step.count)
    site = cast.sites[step.to]
    cast.notes.append(f"{step.count * step.sent / 1e6:.3g} MB to {site.name or site.addresses[0]}")
    speak(cast, step.on, ts, partial(_send, cast, step, site), seconds=step.seconds)


def _send(cast: Cast, step: Upload, site: Site, turn: Turn) -> None:
    rng, count = cast.rng, len(turn.ts)
    resolve(cast, turn, site)
    planned = step.seconds * rng.uniform(0.8, 1.0, count)
    seconds = np.minimum(planned, turn.left)
    sizes = (
        step.sent * seconds / planned * rng.uniform(0.95, 1.05, count),
        4_000 + rng.integers(0, 400, count),
        seconds,
    )
    cast.world.wire.tls(
        turn.ts, turn.address, site.at(turn.ts), site.port, sizes=sizes, who=cast.client(step.client),
        name=site.name or None, server=site.server, alpn="h2",
    )  # fmt: skip


def contact(cast: Cast, now: float, step: Contact) -> None:
    address, port, network = _met(cast, step)
    if not address:
        return
    cast.notes.append(f"first contact with {step.peer} at {address}:{port}")
    ts = now + np.arange(step.count) * step.every + cast.rng.uniform(0, 0.3 * step.every, step.count)
    speak(cast, step.on, ts, partial(_meet, cast, step, (address, port)), network=network)


def _met(cast: Cast, step: Contact) -> tuple[str, int, str]:
    """Find whom the step means: address, port, and the network it is in."""
    world = cast.world
    if step.peer == "metadata":
        return _METADATA, step.port or 80, ""
    if step.peer == "node":
        cluster = world.cluster
        in_cluster = cluster is not None and cast.host in cluster.nodes
        address = cluster.kubelet(cast.host).address if in_cluster else world.engines[cast.host].address
        cast.shows(f"ip:{address}")
        return address, step.port or _KUBELET, ""
    peer = _stranger_inside(cast, step.peer)
    if peer is None:
        cast.notes.append(f"no {step.peer} to meet")
        return "", 0, ""
    cast.shows(peer.workload)
    target = peer.containers[0]
    return target.address, step.port or peer.port, getattr(target, "network", "")


def _stranger_inside(cast: Cast, role: str) -> Service | None:
    """Choose one whom the victim has no reason to speak with: of another project; one of its own, if there is none."""
    there = [s for s in cast.world.role(role) if s.containers and s is not cast.victim]
    project = cast.victim.project if cast.victim else ""
    others = [s for s in there if s.project != project] or there
    return cast.world.pick(others) if others else None


def _meet(cast: Cast, step: Contact, where: tuple[str, int], turn: Turn) -> None:
    wire, rng, count, (address, port) = cast.world.wire, cast.rng, len(turn.ts), where
    sizes = (
        step.sent * rng.lognormal(0, 0.3, count),
        step.received * rng.lognormal(0, 0.3, count),
        np.minimum(rng.lognormal(-1.5, 0.6, count), turn.left),
    )
    service, who = step.service or _SPOKEN.get(port), cast.client(step.client)
    if service == "http":
        wire.http(
            turn.ts, turn.address, address, port, sizes=sizes, agent=who.agent or None, host=address, uri=step.uri
        )
    elif service == "ssl":
        wire.tls(turn.ts, turn.address, address, port, sizes=sizes, who=who, name=None)
    else:
        wire.connections(turn.ts, turn.address, address, port, sizes=sizes, service=service)


def inbound(cast: Cast, now: float, step: Inbound) -> None:
    site = cast.sites[step.to]
    cast.notes.append(f"{site.addresses[0]} came to port {step.port}")
    ts = now + np.arange(step.count) * step.every + cast.rng.uniform(0, 0.3 * step.every, step.count)
    speak(cast, step.on, ts, partial(_arrive, cast, step, site, now))


def _arrive(cast: Cast, step: Inbound, site: Site, begun: float, turn: Turn) -> None:
    wire, rng, count, found = cast.world.wire, cast.rng, len(turn.ts), site.at(turn.ts)
    sizes = (rng.integers(300, 900, count), rng.integers(400, 2_500, count), rng.lognormal(-3, 0.5, count))
    if not step.uris:
        wire.connections(turn.ts, found, turn.address, step.port, sizes=sizes, service=_SPOKEN.get(step.port))
        return
    turns = np.round((turn.ts - begun) // max(step.every, 1e-3)).astype(np.int64) % len(step.uris)
    uri = np.array(step.uris, dtype=object)[turns]
    changes = [any(word in text for word in ("create", "start", "exec")) for text in uri.tolist()]
    method = np.where(changes, "POST", "GET").astype(object)
    host = f"{turn.address}:{step.port}"
    agent = cast.client(step.client).agent or None
    wire.http(turn.ts, found, turn.address, step.port, sizes=sizes, agent=agent, host=host, uri=uri, method=method)


def _hash(text: str) -> str:
    return client(text).ja3


ACTS: dict[type, Callable[[Cast, float, Any], None]] = {
    Beacon: beacon, Session: session, Upload: upload, Contact: contact, Inbound: inbound,
}  # fmt: skip
