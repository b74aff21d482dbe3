"""Command and control, tunnels, scans and exfiltration, as a flow sensor sees them."""

import numpy as np

from benchmarks.estate.engine import Spec
from benchmarks.estate.ids import base32_labels, engine_name
from benchmarks.estate.strike import TOOLS, Strike, candidates
from benchmarks.estate.wire import Client, Shape, Site, client
from benchmarks.estate.world import HOUR, MINUTE, World

_BROWSER = "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"


def beacon(world: World, now: float, strong: bool) -> None:  # noqa: FBT001 -- called by the queue, as are all below
    """N01: check-ins every minute over HTTP; dampened, every quarter of an hour over TLS to a plausible name."""
    strike = Strike(world, now, strong)
    lasting = 3 * HOUR if strong else 12 * HOUR
    service = strike.victim("web", "worker", "api", lasting=lasting)
    address = service.containers[0].address
    if strong:
        site = world.outside.stranger(port=80)
        strike.call_home(
            strike.beacon_times(now, lasting, 60, 0.2),
            address,
            site,
            TOOLS["curl"],
            uri=f"/{world.outside.word()}/gate",
        )
    else:
        site = world.outside.stranger(plausible=True)
        strike.call_home(strike.beacon_times(now, lasting, 900, 0.35), address, site, service.client)
    strike.record(
        "N01",
        "T1071.001",
        [service.workload],
        lasting,
        f"beacon to {site.name}",
        "network",
        host=service.containers[0].host,
    )


def malleable(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
    """N02: requests dressed as a browser that loads a script from a content network."""
    strike = Strike(world, now, strong)
    lasting = (2 if strong else 8) * HOUR
    service = strike.victim("api", "worker", "cache", "admin", lasting=lasting)
    site = world.outside.stranger(plausible=True, port=80)
    ts = strike.beacon_times(now, lasting, 45 if strong else 600, 0.37)
    host = str(world.pick(["code.jquery.com", "ajax.cdnjs.example", "static.fonts-cdn.example"]))
    uri = str(world.pick(["/jquery-3.3.1.slim.min.js", "/ajax/libs/lodash/4.17/lodash.min.js", "/css/all.min.css"]))
    sizes = (690, 5_543 + 260, strike.rng.lognormal(-2.5, 0.2, len(ts)))
    world.wire.look_up(ts[:1] - 0.05, service.containers[0].address, site.name, site.at(ts[:1]))
    world.wire.http(
        ts,
        service.containers[0].address,
        site.at(ts),
        80,
        sizes=sizes,
        agent=_BROWSER,
        host=host,
        uri=uri,
        referrer=f"http://{host}/",
    )
    strike.record(
        "N02",
        "T1001.003 T1071.001",
        [service.workload],
        lasting,
        f"browser profile for {host} to {site.addresses[0]}",
        "network",
        host=service.containers[0].host,
    )


def not_tls(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
    """N03: port 443, but the bytes are not TLS."""
    strike = Strike(world, now, strong)
    service = strike.victim("worker", "api", "web", "search", lasting=3 * HOUR)
    site, count = world.outside.stranger(plausible=not strong), 12 if strong else 3
    ts = np.sort(now + strike.rng.uniform(0, 2.5 * HOUR, count))
    sizes = (
        strike.rng.integers(4_000, 60_000, count),
        strike.rng.integers(4_000, 60_000, count),
        strike.rng.uniform(120, 1_800, count),
    )
    world.wire.connections(ts, service.containers[0].address, site.addresses[0], 443, sizes=sizes)
    strike.record(
        "N03",
        "T1001.003 T1095 T1571",
        [service.workload],
        2.5 * HOUR,
        f"raw bytes to {site.addresses[0]}:443",
        "network",
        host=service.containers[0].host,
    )


def fake_tls(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
    """N04: a hello without extensions, no server's answer, then application data."""
    strike = Strike(world, now, strong)
    service = strike.victim("worker", "cache", "api", "admin", lasting=3 * HOUR)
    site = world.outside.stranger()
    hello = Client("", "3fed133de60c35724739b913924b6c24", "t10i010000_d83cc789557e_000000000000", "TLSv10")
    ts = strike.beacon_times(now, 2.5 * HOUR, 60 if strong else 600, 0.3)
    world.wire.tls(
        ts,
        service.containers[0].address,
        site.addresses[0],
        443,
        sizes=(900, 700, 3.0),
        who=hello,
        name=None,
        established=False,
    )
    strike.record(
        "N04",
        "T1001.003",
        [service.workload],
        2.5 * HOUR,
        f"TLS in form only to {site.addresses[0]}",
        "network",
        host=service.containers[0].host,
    )


def borrowed_name(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
    """N05: a TLS session that names a known service and goes to an address that the name never had."""
    strike = Strike(world, now, strong)
    lasting = (2 if strong else 9) * HOUR
    service = strike.victim("api", "worker", "web", lasting=lasting)
    known = [site for s in world.services for site, _ in s.sites] or [world.outside.git]
    own = [site for site, _ in service.sites]
    name = (own[0] if own and not strong else world.pick(known)).name
    borrow(
        strike,
        service.containers[0].address,
        name,
        strike.beacon_times(now, lasting, 120 if strong else 1200, 0.1 if strong else 0.5),
    )
    strike.record(
        "N05",
        "T1001.003 T1573.002",
        [service.workload],
        lasting,
        f"SNI {name} to an address it never resolved to",
        "network",
        host=service.containers[0].host,
    )


def borrow(strike: Strike, address: str, name: str, ts: np.ndarray) -> str:
    site = strike.world.outside.stranger()
    sizes = (
        1_500 + strike.rng.integers(0, 200, len(ts)),
        900 + strike.rng.integers(0, 300, len(ts)),
        strike.rng.lognormal(-1, 0.3, len(ts)),
    )
    who = client("implant", str(strike.rng.integers(99)), old_tls=True)
    strike.world.wire.tls(
        ts,
        address,
        site.addresses[0],
        443,
        sizes=sizes,
        who=who,
        name=name,
        subject=f"CN={name}",
        validation="self signed certificate",
    )
    return site.addresses[0]


def dns_tunnel(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
    """N07, N08: data in names; twenty a second in TXT, or one every three minutes with answers nobody connects to."""
    strike = Strike(world, now, strong)
    lasting = 6 * MINUTE if strong else 8 * HOUR
    service = strike.victim("web", "api", "admin", "worker", lasting=lasting)
    address, zone = service.containers[0].address, f"{world.outside.word()}{strike.rng.integers(10, 99)}.example"
    if strong:
        ts = now + np.sort(strike.rng.uniform(0, lasting, int(lasting * 18)))
        first, second = (base32_labels(strike.rng, len(ts), 52) for _ in range(2))
        names = np.array([f"{a}.{b}.t.{zone}" for a, b in zip(first, second, strict=True)], dtype=object)
        answers = np.array([f"TXT 120 {label}" for label in base32_labels(strike.rng, len(ts), 120)], dtype=object)
        world.wire.look_up(ts, address, names, answers, qtype="TXT", answer_bytes=230)
    else:
        ts = strike.beacon_times(now, lasting, 180, 0.4)
        names = np.array([f"{label}.{zone}" for label in base32_labels(strike.rng, len(ts), 32)], dtype=object)
        answers = np.array([f"198.51.100.{n}" for n in strike.rng.integers(1, 254, len(ts))], dtype=object)
        world.wire.look_up(ts, address, names, answers)
    strike.record(
        "N07" if strong else "N08",
        "T1071.004 T1572",
        [service.workload],
        lasting,
        f"names under {zone}",
        "network",
        host=service.containers[0].host,
    )


def reverse_shell(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
    """N11: a server that never calls out holds a long session to an odd port; dampened, TLS on a usual one."""
    strike = Strike(world, now, strong)
    service = strike.victim("db", "cache", "queue", lasting=3 * HOUR)
    address = service.containers[0].address
    site = world.outside.stranger(plausible=not strong)
    seconds = float(strike.rng.uniform(900, 5_400))
    sizes = (int(strike.rng.integers(30_000, 400_000)), int(strike.rng.integers(2_000, 9_000)), seconds)
    if strong:
        port = int(world.pick([4444, 1337, 9001, 5555, 31337]))
        world.wire.connections(
            np.array([now]),
            address,
            site.addresses[0],
            port,
            sizes=sizes,
            state="S1" if strike.rng.random() < 0.5 else "SF",
        )
    else:
        port = 443
        world.wire.look_up(np.array([now - 0.05]), address, site.name, site.addresses[0])
        world.wire.tls(
            np.array([now]), address, site.addresses[0], port, sizes=sizes, who=TOOLS["none"], name=site.name
        )
    strike.record(
        "N11",
        "T1095 T1571 T1059.004",
        [service.workload],
        seconds,
        f"session to {site.addresses[0]}:{port}",
        "network",
        host=service.containers[0].host,
    )


def miner(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
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


def scan(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
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
    strike.record(
        "N16",
        "T1046",
        [service.workload],
        lasting,
        f"{count} attempts in {prefix}.0.0",
        "network",
        host=service.containers[0].host,
    )


def bulk_upload(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
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


def drip(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
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


def east_west(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
    """N19: a web server speaks to a database that is not its own."""
    strike = Strike(world, now, strong)
    service = strike.victim("web", "admin", "cache", lasting=2 * HOUR)
    others = [s for s in world.role("db", "cache", "queue") if s.project != service.project and s.containers] or [
        s for s in world.role("db", "cache") if s.containers
    ]
    count = 60 if strong else 4
    targets = [world.pick(others).containers[0] for _ in range(3 if strong else 1)]
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
        [service.workload],
        HOUR,
        f"first contact with {', '.join(t.name for t in targets)}",
        "network",
        host=service.containers[0].host,
    )


def metadata(world: World, now: float, strong: bool) -> None:  # noqa: FBT001
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
