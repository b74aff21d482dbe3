# ruff: noqa: E501 -- tables and wire forms stay in rows
"""What repeats by itself: scrapes, probes, log shipping, heartbeats, a crawler, mail checks, noise, health checks."""

from zlib import crc32

import msgspec
import numpy as np

from service.emulation.estate.engine import Lease
from service.emulation.estate.rhythm import Day, periodic, rhythm, times
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Client, Shape, client
from service.emulation.estate.world import Service

HEARTBEAT = 300.0


def fixed(day: Day) -> None:
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
                ts = periodic(lease, day.low, day.high, HEARTBEAT, world.rng, 0.01)
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


def crawl(day: Day, service: Service) -> None:
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


def mail_checks(day: Day, service: Service) -> None:
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


def engine_checks(day: Day) -> None:
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
            moments = periodic(lease, day.low, day.high, service.health_every, rng, 0.002)
            drawn = rng.bytes(32 * len(moments)).hex()
            identities = [drawn[i : i + 64] for i in range(0, len(drawn), 64)]
            world.sink.repeated(
                f"events-{container.host}", moments, identities, list(zip((0.0, 0.004, 0.09), lines, strict=True))
            )


def _check_line(identity: str, image: str, host: str, action: str, attributes: dict[str, str]) -> bytes:
    event = {
        "status": action, "id": identity, "from": image, "Type": "container", "Action": action,
        "Actor": {"ID": identity, "Attributes": attributes}, "scope": "local", "time": "@S", "timeNano": "@N", "host": host,
    }  # fmt: skip
    return msgspec.json.encode(event) + b"\n"
