"""Steady traffic of one day: edges between services, visitors, scrapes, log shipping, heartbeats, a crawler, checks."""

import math
from dataclasses import dataclass
from zlib import crc32

import msgspec
import numpy as np

from benchmarks.estate.engine import Lease
from benchmarks.estate.ids import Objects, hex_id
from benchmarks.estate.topology import Edge
from benchmarks.estate.wire import Client, Shape, Site, client
from benchmarks.estate.world import DAY, HOUR, MINUTE, Service, World

_BIN = 600.0
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)


class Occupancy:
    """Who of a workload's replicas is up at each moment of a span."""

    def __init__(self, leases: list[Lease], low: float, high: float) -> None:
        alive = [lease for lease in leases if lease.start < high and lease.end > low]
        cuts = {low} | {edge for lease in alive for edge in (lease.start, lease.end) if low < edge < high}
        self.cuts = np.array(sorted(cuts))
        rows = [[lease.address for lease in alive if lease.start <= cut < lease.end] for cut in self.cuts]
        self.count = np.array([len(row) for row in rows])
        width = max(1, *(len(row) for row in rows))
        self.table = np.array([row + [""] * (width - len(row)) for row in rows], dtype=object)

    def pick(self, ts: np.ndarray, rng: np.random.Generator) -> Objects:
        """Choose a replica for each time; an empty address where none was up."""
        segment = np.searchsorted(self.cuts, ts, side="right") - 1
        index = (rng.random(len(ts)) * self.count[segment]).astype(np.int64)
        return self.table[segment, index]


def rhythm(ts: np.ndarray, peak_hour: float = 14.0, night: float = 0.2, weekend: float = 0.55) -> np.ndarray:
    """Return the share of the busiest rate: a day with a night, a week with a week-end."""
    hour = (ts % DAY) / HOUR
    day_curve = night + (1 - night) * np.exp(3.0 * (np.cos((hour - peak_hour) * math.tau / 24) - 1) / 2)
    weekday = (ts // DAY).astype(np.int64) + 3
    return day_curve * np.where(weekday % 7 >= 5, weekend, 1.0)


@dataclass
class Day:
    """What is shared by all traffic of a day."""

    world: World
    low: float
    moods: dict[str, np.ndarray]
    occupancy: dict[int, Occupancy]

    @property
    def high(self) -> float:
        return self.low + DAY

    def of(self, service: Service) -> Occupancy:
        return self.occupancy.setdefault(id(service), Occupancy(service.leases, self.low, self.high))

    def mood(self, project: str) -> np.ndarray:
        """Return a factor for each ten minutes, shared by the edges of a project, now and then with a rush."""
        if project not in self.moods:
            rng, bins = self.world.rng, int(DAY / _BIN)
            walk = np.zeros(bins)
            for i in range(1, bins):
                walk[i] = 0.9 * walk[i - 1] + rng.normal(0, 0.1)
            if rng.random() < 0.15:
                at = int(rng.integers(40, 130))
                walk[at : at + int(rng.integers(3, 9))] += rng.uniform(0.5, 1.3)
            self.moods[project] = np.exp(walk)
        return self.moods[project]


def times(day: Day, rate: float, project: str, *, flat: float = 0.0, spread: float = 0.3) -> np.ndarray:
    """Draw times of a day at `rate` an hour at the peak; `flat` is the share that knows no rhythm."""
    rng = day.world.rng
    starts = day.low + np.arange(int(DAY / _BIN)) * _BIN
    wave = flat + (1 - flat) * rhythm(starts, peak_hour=11 + len(project) % 6)
    mean = rate * _BIN / HOUR * wave * day.mood(project) * rng.gamma(1 / spread**2, spread**2, len(starts))
    counts = rng.poisson(mean)
    return np.sort(np.repeat(starts, counts) + rng.uniform(0, _BIN, counts.sum()))


def steady(world: World, low: float) -> None:
    """Write everything that happens by itself on the day that begins at `low`."""
    day = Day(world, low, {}, {})
    if low == world.options.start:
        _set_scale(day)
    for edge in world.edges:
        edge_traffic(day, edge, world.scale)
    _fixed(day)
    for service in world.role("crawler"):
        _crawl(day, service)
    for service in world.services:
        if service.name == "mailer":
            _mail_checks(day, service)
    noise(day)
    _engine_checks(day)


def _set_scale(day: Day) -> None:
    """Fit the steady rates to the number of rows asked for, once, so that no day is scaled on its own."""
    world, options = day.world, day.world.options
    spans = options.start + np.arange(options.days * 144) * _BIN
    share = float(np.mean(rhythm(spans)))
    rows = {"tls": 2.7, "http": 2.0}
    raw = sum(edge.rate * rows.get(edge.protocol, 1.0) * share * 24 * options.days for edge in world.edges)
    fixed = world.sink.pending(0) * options.days * 0.9 + 0.27 * options.flows
    rushes = 1.17  # the mean of `mood` and of the tails of `times`
    world.scale = max(0.02, (options.flows - fixed) / raw / rushes)


def edge_traffic(day: Day, edge: Edge, scale: float) -> None:
    world, rng = day.world, day.world.rng
    owner = edge.source or edge.target
    project = owner.project if isinstance(owner, Service) else ""
    ts = times(day, edge.rate * scale, project, flat=0.25 if edge.protocol in {"amqp", "tls"} else 0.05)
    src = day.of(edge.source).pick(ts, rng) if edge.source else world.outside.client_addresses(len(ts))
    dst = day.of(edge.target).pick(ts, rng) if isinstance(edge.target, Service) else edge.target.at(ts)
    up = (src != "") & (dst != "")
    ts, src, dst = ts[up], src[up], dst[up]
    if not len(ts):
        return
    sizes = edge.shape.draw(rng, len(ts))
    if isinstance(edge.target, Site):
        world.wire.to_site(ts, src, edge.target, edge.source.client, sizes)  # type: ignore[union-attr]
    elif edge.protocol == "http":
        _requests(world, edge, (ts, src, dst), sizes)
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
    if edge.source:
        agent, host = edge.source.client.agent, f"{edge.target.name}:{edge.port}"
    else:
        agent = np.array(BROWSERS, dtype=object)[rng.integers(0, len(BROWSERS), len(ts))]
        host = f"www.{edge.target.project or 'corp'}.example"
    method = np.where(rng.random(len(ts)) < 0.18, "POST", "GET").astype(object)
    world.wire.http(ts, src, dst, edge.port, sizes=sizes, agent=agent, host=host, uri=uri, method=method, status=status)


def periodic(
    lease: Lease, low: float, high: float, period: float, rng: np.random.Generator, jitter: float
) -> np.ndarray:
    begin, end = max(low, lease.start + 5), min(high, lease.end)
    if end <= begin:
        return np.empty(0)
    phase = (crc32(lease.address.encode()) % 1000) / 1000 * period
    ts = np.arange(begin - begin % period + phase, end, period)
    ts = ts[ts >= begin]
    return ts + rng.uniform(-jitter, jitter, len(ts)) * period


def _fixed(day: Day) -> None:
    world, options = day.world, day.world.options
    containers = sum(len(s.containers) for s in world.services) or 1
    budget = options.flows / options.days
    scrape = max(60.0, containers * DAY * 2 / (0.11 * budget))
    ship = max(30.0, len(world.engines) * DAY * 2.4 / (0.04 * budget))
    check = max(60.0, 0.3 * containers * DAY * 2 / (0.05 * budget))
    prometheus, proxy = world.role("prometheus"), world.role("edge-proxy")
    for service in world.services:
        for lease in service.leases:
            if lease.end < day.low or lease.start > day.high:
                continue
            if prometheus and service.role != "prometheus":
                _probe(day, prometheus[0], service, lease, scrape, "/metrics")
            if proxy and service.role in {"web", "api", "admin"}:
                _probe(day, proxy[0], service, lease, check, "/health")
            if service.heartbeat:
                ts = periodic(lease, day.low, day.high, 300.0, world.rng, 0.01)
                world.wire.to_site(
                    ts,
                    lease.address,
                    service.heartbeat,
                    service.client,
                    (612, 388, world.rng.normal(0.21, 0.01, len(ts))),
                    look_ups=0.2,
                )
            if service.role == "log-shipper":
                _ship(day, service, lease, ship)
    for engine in world.engines.values():
        ts = periodic(Lease(engine.address, 0), day.low, day.high, 1024.0, world.rng, 0.02)
        world.wire.connections(
            ts, engine.address, "10.0.0.54", 123, sizes=(48, 48, 0.002), proto="udp", service="ntp", sport=123
        )


def _probe(day: Day, prober: Service, service: Service, lease: Lease, period: float, uri: str) -> None:
    rng = day.world.rng
    ts = periodic(lease, day.low, day.high, period, rng, 0.004)
    src = day.of(prober).pick(ts, rng)
    ts, src = ts[src != ""], src[src != ""]
    if not len(ts):
        return
    body = 14_000 + crc32(service.workload.encode()) % 60_000 if uri == "/metrics" else 320
    sizes = (260, (body * rng.normal(1, 0.01, len(ts))).astype(np.int64), rng.lognormal(-3.5, 0.3, len(ts)))
    agent = prober.client.agent if uri == "/metrics" else "Traefik/3.0.4"
    day.world.wire.http(
        ts, src, lease.address, service.port, sizes=sizes, agent=agent, host=f"{lease.address}:{service.port}", uri=uri
    )


def _ship(day: Day, service: Service, lease: Lease, period: float) -> None:
    world, rng = day.world, day.world.rng
    ts = periodic(lease, day.low, day.high, period, rng, 0.05)
    sent = 40_000 * rhythm(ts) * rng.lognormal(0, 0.4, len(ts)) + 3_000
    world.wire.to_site(
        ts,
        lease.address,
        service.sites[0][0],
        service.client,
        (sent.astype(np.int64), 900, rng.lognormal(-1.2, 0.3, len(ts))),
        look_ups=0.05,
    )


def _crawl(day: Day, service: Service) -> None:
    world, rng = day.world, day.world.rng
    ts = times(day, 0.03 * world.options.flows / world.options.days / 24 / 2.6, "crawler", flat=0.5)
    src = day.of(service).pick(ts, rng)
    ts, src = ts[src != ""], src[src != ""]
    names, addresses = world.outside.fresh_domains(len(ts))
    if not len(ts):
        return
    world.wire.look_up(ts - 0.04, src, names, addresses)
    sizes = Shape(900, 40_000, 0.6, 1.2, 0.03).draw(rng, len(ts))
    encrypted = rng.random(len(ts)) < 0.75
    bot: Client = client("corp-crawler/2.4 (+https://corp.example/bot)", "python")
    s = [size[encrypted] for size in sizes]
    world.wire.tls(
        ts[encrypted],
        src[encrypted],
        addresses[encrypted],
        443,
        sizes=tuple(s),
        who=bot,
        name=names[encrypted],
        alpn="http/1.1",
    )
    rest = ~encrypted
    s = [size[rest] for size in sizes]
    world.wire.http(
        ts[rest], src[rest], addresses[rest], 80, sizes=tuple(s), agent=bot.agent, host=names[rest], uri="/"
    )


def _mail_checks(day: Day, service: Service) -> None:
    """Look senders up in a block list: names that are always new and never connected to."""
    world, rng = day.world, day.world.rng
    ts = times(day, 25, "mailer", flat=0.3)
    src = day.of(service).pick(ts, rng)
    ts, src = ts[src != ""], src[src != ""]
    octets = rng.integers(1, 255, (len(ts), 4)).tolist()
    names = np.array([f"{a}.{b}.{c}.{d}.bl.spamlist.example" for a, b, c, d in octets], dtype=object)
    answers = np.array(["127.0.0.2" if hit else None for hit in rng.random(len(ts)) < 0.3], dtype=object)
    world.wire.look_up(ts, src, names, answers)


def noise(day: Day) -> None:
    """Let the Internet knock: scanners of web applications, and connections to ports that are shut."""
    world, rng = day.world, day.world.rng
    paths = np.array(
        ["/wp-login.php", "/.env", "/admin", "/phpmyadmin/", "/.git/config", "/cgi-bin/luci", "/actuator/health"],
        dtype=object,
    )
    agents = np.array(
        ["Mozilla/5.0 zgrab/0.x", "python-requests/2.31.0", "masscan/1.3", "Go-http-client/1.1"], dtype=object
    )
    for service in world.role("web", "edge-proxy"):
        ts = times(day, 4 * min(1.0, world.scale), service.project, flat=1.0, spread=1.5)
        dst = day.of(service).pick(ts, rng)
        ts, dst = ts[dst != ""], dst[dst != ""]
        count = len(ts)
        src = np.array(
            [
                f"{world.outside.bots[a]}.{b}"
                for a, b in zip(rng.integers(0, 4, count), rng.integers(2, 60, count), strict=True)
            ],
            dtype=object,
        )
        shut = rng.random(count) < 0.4
        if shut.any():
            world.wire.connections(
                ts[shut],
                src[shut],
                dst[shut],
                rng.choice([22, 23, 3389, 6379, 2375], int(shut.sum())),
                sizes=(0, 0, 0.01),
                state="REJ",
            )
        if not shut.all():
            k = int((~shut).sum())
            world.wire.http(
                ts[~shut],
                src[~shut],
                dst[~shut],
                service.port,
                sizes=(240, 480, 0.02),
                agent=agents[rng.integers(0, 4, k)],
                host="-",
                uri=paths[rng.integers(0, 7, k)],
                status=404,
            )


def _engine_checks(day: Day) -> None:
    """Write the exec triples of health checks, the largest part of an engine's events."""
    world, rng = day.world, day.world.rng
    for service in world.services:
        if not service.health_every:
            continue
        for container in service.containers:
            lease = container.lease or Lease("", container.started)
            command = f"/bin/sh -c {service.template.health}"
            attributes = dict(
                sorted(
                    {
                        **container.spec.labels,
                        "execID": "@E",
                        "image": container.spec.image,
                        "name": container.name,
                    }.items()
                )
            )
            lines = [
                _check_line(container.id, container.spec.image, container.host, f"{verb}{command}", attributes)
                for verb in ("exec_create: ", "exec_start: ")
            ]
            lines.append(
                _check_line(
                    container.id, container.spec.image, container.host, "exec_die", {**attributes, "exitCode": "0"}
                )
            )
            for moment in periodic(lease, day.low, day.high, service.health_every, rng, 0.002).tolist():
                identity = hex_id(rng).encode()
                for line, delay in zip(lines, (0.0, 0.004, 0.09), strict=True):
                    nano = int((moment + delay) * 1e9)
                    stamped = (
                        line.replace(b'"@E"', b'"' + identity + b'"')
                        .replace(b'"@N"', b"%d" % nano)
                        .replace(b'"@S"', b"%d" % (nano // 10**9))
                    )
                    world.sink.raw(f"events-{container.host}", moment + delay, stamped)


def _check_line(identity: str, image: str, host: str, action: str, attributes: dict[str, str]) -> bytes:
    event = {
        "status": action, "id": identity, "from": image, "Type": "container", "Action": action,
        "Actor": {"ID": identity, "Attributes": attributes}, "scope": "local", "time": "@S", "timeNano": "@N", "host": host,
    }  # fmt: skip
    return msgspec.json.encode(event) + b"\n"


__all__ = ["MINUTE", "Day", "Occupancy", "periodic", "rhythm", "steady", "times"]
