"""Look-ups of a healthy estate that resemble a tunnel: storms, search paths, random names of a CDN, time."""

from collections.abc import Callable

import numpy as np

from service.emulation.estate.ids import base32_labels, hex_id
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Shape, Site
from service.emulation.estate.world import HOUR, Service, World

_SEARCH = ("{space}.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.example")


def schedule(world: World) -> None:
    """Spread the look-ups over all days, fewer of them where there is little traffic."""
    options = world.options
    often = max(1, round(8 * min(1.0, options.flows / options.days / 40_000)))
    cdn, pool = world.outside.site("cdn.edgecast.example", 6), world.outside.site("pool.ntp.example", 8, port=123)
    fetchers = [s for s in world.role("web", "api") if s.kind == "compose"][1:4]
    pods = world.cluster.services[:-1][:4] if world.cluster else []
    for day in range(options.days):
        low = options.start + day * DAY
        _spread(world, low, 3 * often, fetch, fetchers, cdn)
        _spread(world, low, max(1, often // 3), reverse, world.role("log-shipper", "edge-proxy"))
        _spread(world, low, 1, keep_time, world.role("vpn", "mirror-cache"), pool)
        _spread(world, low, often, search, pods)
    for service in fetchers:
        for low, high in ((options.start, options.watch), (options.watch, options.end)):
            world.ledger.lookalike("cdn_names", service.workload, low, high)


def _spread(
    world: World, low: float, count: int, act: Callable[..., None], services: list[Service], *where: Site
) -> None:
    for service in services:
        for moment in (low + world.rng.uniform(0, DAY - HOUR, count)).tolist():
            world.at(moment, act, service, *where)


def fetch(world: World, now: float, service: Service, cdn: Site) -> None:
    """Fetch assets whose names begin with a long random label, each name once."""
    if not service.containers:
        return
    count = int(world.rng.integers(1, 5))
    hashed = [hex_id(world.rng, 32) for _ in range(count)]
    labels = hashed if world.rng.random() < 0.5 else base32_labels(world.rng, count, 26)
    names = np.array([f"d{text}.{cdn.name}" for text in labels], dtype=object)
    ts = now + np.sort(world.rng.uniform(0, 5, count))
    address = world.pick(service.containers).address
    world.wire.look_up(ts - 0.03, address, names, cdn.at(ts))
    sizes = Shape(700, 90_000, 0.4, 1.0).draw(world.rng, count)
    world.wire.tls(ts, address, cdn.at(ts), 443, sizes=sizes, who=service.client, name=names, alpn="h2")


def reverse(world: World, now: float, service: Service) -> None:
    """Ask for the names of dozens of addresses at once, as a log is enriched or a report is written."""
    if not service.containers:
        return
    count = int(world.rng.integers(25, 70))
    address = world.pick(service.containers).address
    ts = now + np.sort(world.rng.uniform(0, 10, count))
    octets = world.rng.integers(2, 250, (count, 2)).tolist()
    names = np.array([f"{b}.{a}.18.198.in-addr.arpa" for a, b in octets], dtype=object)
    known = np.array([f"host-{b}.isp.example" if b % 3 else None for _, b in octets], dtype=object)
    world.wire.look_up(ts, address, names, known, qtype="PTR")
    world.ledger.lookalike("ptr_storm", service.workload, now, now + 10)


def search(world: World, now: float, service: Service) -> None:
    """Try a name under every search domain first, as a pod does whose resolver has ndots:5."""
    sites = [site for site, _ in service.sites] or [world.outside.git]
    if not service.containers:
        return
    for pod in service.containers:
        for number in range(int(world.rng.integers(4, 12))):
            site = sites[number % len(sites)]
            begin = now + float(world.rng.uniform(0, 20))
            tried = [f"{site.name}.{domain.format(space=service.project)}" for domain in _SEARCH]
            ts = begin + np.arange(len(tried) + 1) * 0.004
            answers = np.array([*([None] * len(tried)), str(site.at(ts)[-1])], dtype=object)
            world.wire.look_up(ts, pod.address, np.array([*tried, site.name], dtype=object), answers)
    world.ledger.lookalike("search_paths", service.workload, now, now + 25)


def keep_time(world: World, now: float, service: Service, pool: Site) -> None:
    """Set the clock with a burst to several servers of a pool."""
    if not service.containers:
        return
    address = service.containers[0].address
    ts = now + np.sort(world.rng.uniform(0, 16, 16))
    servers = np.array(pool.addresses, dtype=object)[np.arange(16) % len(pool.addresses)]
    names = np.array([f"{number % 4}.{pool.name}" for number in range(4)], dtype=object)
    world.wire.look_up(ts[:4] - 0.05, address, names, servers[:4])
    world.wire.connections(ts, address, servers, 123, sizes=(48, 48, 0.03), proto="udp", service="ntp", sport=123)
    world.ledger.lookalike("ntp_burst", service.workload, now, now + 16)
