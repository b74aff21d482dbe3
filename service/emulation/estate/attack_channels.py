"""Command and control in disguise: beacons, borrowed profiles and names, tunnels, a reverse shell."""

import numpy as np

from service.emulation.estate.ids import base32_labels
from service.emulation.estate.strike import TOOLS, Strike
from service.emulation.estate.wire import RESOLVER, Client, client
from service.emulation.estate.world import HOUR, MINUTE, World

_BROWSER = "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko"


def beacon(world: World, now: float, strong: bool) -> None:
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


def malleable(world: World, now: float, strong: bool) -> None:
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


def not_tls(world: World, now: float, strong: bool) -> None:
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


def fake_tls(world: World, now: float, strong: bool) -> None:
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


def borrowed_name(world: World, now: float, strong: bool) -> None:
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


def dns_tunnel(world: World, now: float, strong: bool) -> None:
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
        [service.workload, f"ip:{RESOLVER}"],
        lasting,
        f"names under {zone}",
        "network",
        host=service.containers[0].host,
    )


def reverse_shell(world: World, now: float, strong: bool) -> None:
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
