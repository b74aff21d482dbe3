"""Mining, scans, exfiltration and first contacts, as a flow sensor sees them."""

import numpy as np

from service.emulation.estate.engine import Spec
from service.emulation.estate.ids import engine_name
from service.emulation.estate.strike import TOOLS, Strike, candidates
from service.emulation.estate.wire import Shape, Site, client
from service.emulation.estate.world import HOUR, MINUTE, World


def miner(world: World, now: float, strong: bool) -> None:
    """N15: pull, run, and a long Stratum session; dampened, inside an existing worker over TLS."""
    strike = Strike(world, now, strong)
    if strong:
        host, name = strike.host(), engine_name(strike.rng)
        image = f"{world.outside.word()}{strike.rng.integers(9)}/{world.pick(['centos', 'nginx', 'xmrig'])}:latest"
        world.pull(host, image, now)
        container = strike.foothold(host, Spec(image, name, command=["/usr/bin/xmrig", "-o", "pool:3333"]), now + 3)
        mine(
            strike, container.address, container.started + 2, 5 * HOUR, int(world.pick([3333, 4444, 5555, 7777, 14444]))
        )
        strike.record(
            "N15",
            "T1496.001 T1610",
            candidates(host, name, image),
            5 * HOUR,
            f"{image} mining",
            "pulls network config",
            host=host,
        )
        return
    service = strike.victim("worker", "api", "web", lasting=6 * HOUR)
    site = world.outside.stranger(plausible=True)
    ts = now + np.arange(5) * 4_000.0
    strike.call_home(ts, service.containers[0].address, site, TOOLS["none"], sizes=(60_000, 90_000, 3_900.0))
    strike.record(
        "N15",
        "T1496.001",
        [service.workload],
        6 * HOUR,
        f"pool proxy {site.name} over TLS",
        "network",
        host=service.containers[0].host,
    )


def mine(strike: Strike, address: str, start: float, lasting: float, port: int) -> None:
    site = strike.world.outside.stranger()
    ts = start + np.arange(0, lasting, 1_800.0)
    strike.world.wire.look_up(ts[:1] - 0.1, address, f"pool.{site.name}", site.addresses[0])
    strike.world.wire.connections(
        ts,
        address,
        site.addresses[0],
        port,
        sizes=(strike.rng.integers(20_000, 40_000, len(ts)), strike.rng.integers(60_000, 120_000, len(ts)), 1_790.0),
    )


def scan(world: World, now: float, strong: bool) -> None:
    """N16: many hosts and ports, most of which do not answer; dampened, one attempt a minute."""
    strike = Strike(world, now, strong)
    lasting = 4 * MINUTE if strong else 3 * HOUR
    service = strike.victim("web", "worker", "api", "admin", lasting=lasting)
    address, rng = service.containers[0].address, strike.rng
    count = 4_000 if strong else 180
    ts = now + np.sort(rng.uniform(0, lasting, count))
    prefix = address.rsplit(".", 2)[0]
    own = int(address.split(".")[2])  # on its own bridge an address nobody has gives no packet, only ARP
    others = np.array([n for n in range(7) if n != own])
    targets = np.array(
        [f"{prefix}.{a}.{b}" for a, b in zip(rng.choice(others, count), rng.integers(2, 254, count), strict=True)],
        dtype=object,
    )
    ports = rng.choice([22, 2375, 2376, 4243, 5432, 6379, 8080, 10250], count)
    state = rng.choice(["S0", "REJ", "SF"], count, p=[0.62, 0.33, 0.05]).astype(object)
    world.wire.connections(ts, address, targets, ports, sizes=(60, 80, 0.01), state=state)
    reached = set(targets.tolist())
    met = {s.workload for s in world.services for c in s.containers if c.address in reached} - {service.workload}
    strike.record(
        "N16",
        "T1046",
        [service.workload, *sorted(met)],
        lasting,
        f"{count} attempts in {prefix}.0.0",
        "network",
        host=service.containers[0].host,
    )


def bulk_upload(world: World, now: float, strong: bool) -> None:
    """N17: a database's first words to the outside, many megabytes to a bucket that sounds like the real one."""
    strike = Strike(world, now, strong)
    service = strike.victim("db", "cache", "search", "queue")
    upload(
        strike,
        service.containers[0].address,
        volume=float(strike.rng.uniform(3e8, 3e9)) if strong else float(strike.rng.uniform(1.2e7, 4e7)),
    )
    strike.record(
        "N17",
        "T1048.002 T1567.002",
        [service.workload],
        30 * MINUTE,
        "bulk upload to a look-alike bucket",
        "network",
        host=service.containers[0].host,
    )


def upload(strike: Strike, address: str, volume: float) -> None:
    world = strike.world
    name = str(
        world.pick(
            [
                "backup.s3.objects.example",
                "backups.s3-objects.example",
                "assets.s3.objekts.example",
                "backups.s3.object5.example",
            ]
        )
    )
    site = Site(name, world.outside.stranger(plausible=True).addresses)
    parts = 4
    ts = strike.now + np.arange(parts) * 40.0
    world.wire.to_site(
        ts, address, site, client("rclone/v1.66"), (np.full(parts, volume / parts).astype(np.int64), 4_000, 38.0)
    )


def drip(world: World, now: float, strong: bool) -> None:
    """N18: a little every hour, for long."""
    strike = Strike(world, now, strong)
    lasting = 16 * HOUR
    service = strike.victim("worker", "db", "search", "cache", lasting=lasting)
    site = world.outside.stranger(plausible=True)
    ts = strike.beacon_times(now, lasting, 1_200 if strong else 3_600, 0.3)
    volume = strike.rng.integers(200_000, 900_000, len(ts)) if strong else strike.rng.integers(50_000, 200_000, len(ts))
    strike.call_home(ts, service.containers[0].address, site, service.client, sizes=(volume, 1_500, 2.0))
    strike.record(
        "N18",
        "T1029 T1030 T1041",
        [service.workload],
        lasting,
        f"{int(volume.sum() / 1e6)} MB in drops to {site.name}",
        "network",
        host=service.containers[0].host,
    )


def east_west(world: World, now: float, strong: bool) -> None:
    """N19: a web server speaks to a database that is not its own."""
    strike = Strike(world, now, strong)
    service = strike.victim("web", "admin", "cache", lasting=2 * HOUR)
    others = [s for s in world.role("db", "cache", "queue") if s.project != service.project and s.containers] or [
        s for s in world.role("db", "cache") if s.containers
    ]
    count = 60 if strong else 4
    chosen = [world.pick(others) for _ in range(3 if strong else 1)]
    targets = [other.containers[0] for other in chosen]
    for target in targets:
        port = target.spec.ports[0]
        ts = np.sort(now + strike.rng.uniform(0, HOUR, count))
        world.wire.connections(
            ts,
            service.containers[0].address,
            target.address,
            port,
            sizes=Shape(900, 30_000, 1.0).draw(strike.rng, count),
            service={5432: "postgresql", 6379: "redis"}.get(port),
        )
    strike.record(
        "N19",
        "T1021 T1210",
        [service.workload, *(other.workload for other in chosen)],
        HOUR,
        f"first contact with {', '.join(t.name for t in targets)}",
        "network",
        host=service.containers[0].host,
    )


def metadata(world: World, now: float, strong: bool) -> None:
    """E08: the cloud's metadata address asked for credentials."""
    strike = Strike(world, now, strong)
    service = strike.victim("web", "api", "worker")
    uris = [
        "/latest/meta-data/",
        "/latest/meta-data/iam/security-credentials/",
        "/latest/meta-data/iam/security-credentials/node",
    ][: 3 if strong else 1]
    ts = now + np.arange(len(uris)) * 2.0
    world.wire.http(
        ts,
        service.containers[0].address,
        "169.254.169.254",
        80,
        sizes=(210, 1_400, 0.01),
        agent=TOOLS["curl"].agent if strong else service.client.agent,
        host="169.254.169.254",
        uri=np.array(uris, dtype=object),
    )
    strike.record(
        "E08",
        "T1552.005",
        [service.workload],
        10 * MINUTE,
        "metadata address asked for a role's credentials",
        "network",
        host=service.containers[0].host,
    )
