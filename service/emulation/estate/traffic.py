# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Steady traffic of one day between services, from visitors and to sites outside."""

import numpy as np

from service.emulation.estate import meshes, routine
from service.emulation.estate.edges import Edge
from service.emulation.estate.ids import Objects
from service.emulation.estate.rhythm import Day, rhythm, times
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Site
from service.emulation.estate.world import Service, World

_BIN = 600.0
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)


def steady(world: World, low: float, high: float) -> None:
    """Write everything that happens by itself in a day, or a part of a day."""
    if low % DAY == 0:
        world.moods.clear()
    day = Day(world, low, high, world.moods)
    if low == world.options.start:
        _set_scale(day)
    for service in world.services:
        service.leases = [lease for lease in service.leases if lease.end > low]
    for edge in world.edges:
        edge_traffic(day, edge, world.scale)
    routine.fixed(day)
    for service in world.role("crawler"):
        routine.crawl(day, service)
    for service in world.services:
        if service.name == "mailer":
            routine.mail_checks(day, service)
    routine.noise(day)
    routine.engine_checks(day)


def _set_scale(day: Day) -> None:
    """Fit the steady rates to the number of rows asked for, once, so that no day is scaled on its own."""
    world, options = day.world, day.world.options
    spans = options.start + np.arange(options.days * 144) * _BIN
    share = float(np.mean(rhythm(spans)))
    rows = {"tls": 2.7, "http": 2.0, "mesh": 2.0}
    raw = sum(edge.rate * rows.get(edge.protocol, 1.0) * share * 24 * options.days for edge in world.edges)
    told = world.sink.pending() * (options.end - options.start) / (day.high - day.low) * 0.9
    # Probes, shipping and the crawler take a share of what is asked for; heartbeats keep their beat.
    beating = sum(len(service.containers) for service in world.services if service.heartbeat)
    fixed = told + 0.23 * options.flows + 2.4 * beating * options.days * DAY / routine.HEARTBEAT
    rushes = 1.17  # the mean of `mood` and of the tails of `times`
    world.scale = max(0.02, (options.flows - fixed) / raw / rushes)


def edge_traffic(day: Day, edge: Edge, scale: float) -> None:
    world, rng = day.world, day.world.rng
    owner = edge.source or edge.target
    project = owner.project if isinstance(owner, Service) else ""
    ts = times(day, edge.rate * scale, project, flat=0.25 if edge.protocol in {"amqp", "tls"} else 0.05)
    src = day.of(edge.source).pick(ts, rng) if edge.source else world.outside.client_addresses(len(ts))
    dst = day.of(edge.target).pick(ts, rng) if isinstance(edge.target, Service) else edge.target.at(ts)
    up = (src != "") & (dst != "") & (ts >= edge.since)
    ts, src, dst = ts[up], src[up], dst[up]
    if not len(ts):
        return
    sizes = edge.shape.draw(rng, len(ts))
    if isinstance(edge.target, Site):
        world.wire.to_site(ts, src, edge.target, edge.source.client, sizes)  # type: ignore[union-attr]
    elif edge.protocol == "http":
        _requests(world, edge, (ts, src, dst), sizes)
    elif edge.protocol == "mesh":
        meshes.speak(world, edge, (ts, src, dst), sizes)
    else:
        state = np.where(rng.random(len(ts)) < 0.004, "RSTO", "SF").astype(object)
        service = None if edge.protocol == "websocket" else edge.protocol
        world.wire.connections(ts, src, dst, edge.port, sizes=sizes, service=service, state=state)


def _requests(
    world: World, edge: Edge, ends: tuple[np.ndarray, Objects, Objects], sizes: tuple[np.ndarray, ...]
) -> None:
    rng, (ts, src, dst) = world.rng, ends
    popular = rng.zipf(1.5, len(ts)) % len(edge.uris)
    uri = np.array(edge.uris, dtype=object)[popular]
    status = rng.choice(
        [200, 200, 200, 200, 302, 304, 404, 500], size=len(ts), p=[0.5, 0.2, 0.15, 0.08, 0.03, 0.02, 0.017, 0.003]
    )
    agent: str | Objects
    if edge.source or isinstance(edge.target, Site):
        agent, host = edge.source.client.agent if edge.source else "", f"{edge.target.name}:{edge.port}"
    else:
        agent = np.array(BROWSERS, dtype=object)[rng.integers(0, len(BROWSERS), len(ts))]
        host = f"www.{edge.target.project or 'corp'}.example"
    method = np.where(rng.random(len(ts)) < 0.18, "POST", "GET").astype(object)
    world.wire.http(ts, src, dst, edge.port, sizes=sizes, agent=agent, host=host, uri=uri, method=method, status=status)
