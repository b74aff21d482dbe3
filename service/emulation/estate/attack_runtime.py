# ruff: noqa: E501 -- tables and wire forms stay in rows

"""Weaker runtime configuration, escapes to the host, commands inside containers, monitoring switched off."""

from typing import Any

import numpy as np

from service.emulation.estate.engine import Container, Spec
from service.emulation.estate.ids import engine_name
from service.emulation.estate.strike import TOOLS, Strike, candidates
from service.emulation.estate.wire import Shape
from service.emulation.estate.world import HOUR, MINUTE, Service, World

_RECON = (
    "id", "uname -a", "env", "cat /proc/1/environ", "mount", "cat /etc/shadow", "ls -la /run/secrets", "cat /proc/self/status",
    "find / -name *.pem", "cat /etc/hosts", "ls -la /var/run", "ip addr", "cat /proc/net/tcp", "whoami", "capsh --print",
)  # fmt: skip
_SMALL_WINDOWS = (
    "/etc/cron.d:/mnt/c",
    "/root/.ssh:/mnt/s",
    "/var/run:/hostrun",
    "/home:/mnt/home",
    "/usr/local/bin:/mnt/b",
)


def privileged_host_bind(world: World, now: float, strong: bool) -> None:
    """D01: a short privileged container with the host's root in it; dampened, a small directory of the host."""
    strike = Strike(world, now, strong)
    host, image = (
        strike.host(),
        str(world.pick(["alpine:3.20", "hub-mirror.corp.example/library/debian:12", "busybox:1.36"])),
    )
    name = engine_name(strike.rng)
    if strong:
        target = str(world.pick(["/:/host", "/:/hs", "/:/mnt/root"]))
        settings: dict[str, Any] = {"Privileged": True, "PidMode": "host", "Binds": [target], "AutoRemove": True}
        command = ["chroot", target.split(":")[1], "sh", "-c", "id"]
        world.pull(host, image, now - 4)
    else:
        settings, command = {"Binds": [str(world.pick(list(_SMALL_WINDOWS)))], "AutoRemove": True}, ["sh"]
    lives = float(strike.rng.uniform(3, 90))
    strike.foothold(host, Spec(image, name, command=command, settings=settings), now, lives=lives)
    strike.record(
        "D01",
        "T1610 T1611",
        candidates(host, name, image),
        lives + 60,
        f"{settings['Binds'][0]} in {image}",
        "config pulls",
        host=host,
    )


def weaker_recreate(world: World, now: float, strong: bool) -> None:
    """D04: the same service, image and name, created again with less around it; no rollout of its siblings."""
    strike = Strike(world, now, strong)
    service = strike.victim("api", "worker", "web", "admin", replicated=True, lasting=5 * HOUR)
    container = service.containers[0]
    settings, env = dict(container.spec.settings), dict(container.spec.env)
    if strong:
        settings |= {"CapAdd": ["SYS_ADMIN"], "CapDrop": None, "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"], "PidMode": "host",
                     "Binds": [*(settings.get("Binds") or []), "/etc:/host/etc"]}  # fmt: skip
        env["LD_PRELOAD"] = f"{strike.hiding_path()}.so"
        world.engines[container.host].of(container, "update", now - 40)
    else:
        change = int(strike.rng.integers(3))
        settings |= (
            {"CapAdd": ["SYS_PTRACE"]},
            {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]},
            {"SecurityOpt": ["seccomp=unconfined"]},
        )[change]
    world.at(now, _swap, service, container, container.spec.but(settings=settings, env=env))
    changed = sorted(key for key in settings if settings[key] != service.template.settings.get(key))
    strike.record(
        "D04",
        "T1610 T1611 T1562.001",
        [service.workload],
        HOUR,
        f"one replica recreated, changed {', '.join(changed)}",
        "config",
        host=container.host,
    )


def _swap(world: World, now: float, service: Service, container: Container, spec: Spec) -> None:
    if container in service.containers:
        world.retire(service, container, now)
        fresh = world.engines[container.host].run(spec, now + 2)
        service.containers.insert(0, fresh)
        if fresh.lease:
            service.leases.append(fresh.lease)


def shared_namespace(world: World, now: float, strong: bool) -> None:
    """D06: a container inside another's network and process namespace; its flows carry the victim's address."""
    strike = Strike(world, now, strong)
    service = strike.victim("db", "cache", "queue", lasting=4 * HOUR)
    victim = service.containers[0]
    name = f"{world.outside.word()}-{world.pick(['debug', 'sidecar', 'net'])}"
    image = str(world.pick(["alpine:3.20", "nicolaka/netshoot:v0.13"])) if strong else service.image
    if strong:
        world.pull(victim.host, image, now - 5)
    settings = {"PidMode": f"container:{victim.id}"} if strong else {}
    strike.foothold(
        victim.host,
        Spec(image, name, network=f"container:{victim.id}", command=["sh", "-c", "sleep 7200"], settings=settings),
        now,
        lives=2 * HOUR,
    )
    ts = strike.beacon_times(now + 30, 2 * HOUR, 240 if strong else 1200, 0.3)
    strike.call_home(ts, victim.address, world.outside.stranger(plausible=not strong), TOOLS["curl"])
    strike.record(
        "D06",
        "T1610 T1611",
        [*candidates(victim.host, name, image), service.workload],
        2 * HOUR,
        f"network and pid of {victim.name}",
        "config network",
        host=victim.host,
    )


def second_network(world: World, now: float, strong: bool) -> None:
    """D07: a running container attached to another project's network, then connections to that project's database."""
    strike = Strike(world, now, strong)
    service = strike.victim("web", "worker", "admin", lasting=3 * HOUR)
    container = service.containers[0]
    same_host = [
        s
        for s in world.role("db", "cache", "queue")
        if s.project != service.project and s.containers and s.containers[0].host == container.host
    ]
    target = world.pick(same_host or [s for s in world.role("db", "cache", "queue") if s.containers])
    address = world.engines[container.host].attach(container, target.template.network, now)
    count = 40 if strong else 3
    ts = np.sort(now + 10 + strike.rng.uniform(0, 2 * HOUR, count))
    world.wire.connections(
        ts,
        address,
        target.containers[0].address,
        target.port,
        sizes=Shape(1_500, 60_000, 5).draw(strike.rng, count),
        service="postgresql" if target.role == "db" else None,
    )
    strike.record(
        "D07",
        "T1610 T1021",
        [service.workload, target.workload, f"ip:{address}"],
        2 * HOUR,
        f"joined {target.template.network}",
        "config network control",
        host=container.host,
    )


def monitoring_off(world: World, now: float, strong: bool) -> None:
    """D10: the log shipper of a host stopped for good; dampened, one service created again without a log driver."""
    strike = Strike(world, now, strong)
    shippers = [s for s in world.role("log-shipper") if s.containers]
    if strong and shippers:
        service = shippers[0]
        container = world.pick(service.containers)
        world.retire(service, container, now, code=137)
        strike.record(
            "D10",
            "T1562.001 T1070",
            [service.workload, f"host:{container.host}", f"docker:{container.host}/log-shipper"],
            6 * HOUR,
            f"log shipper of {container.host} stopped and not started",
            "control config network",
            host=container.host,
        )
        return
    service = strike.victim("api", "worker", "web")
    container = service.containers[0]
    world.at(
        now,
        _swap,
        service,
        container,
        container.spec.but(settings={**container.spec.settings, "LogConfig": {"Type": "none", "Config": {}}}),
    )
    strike.record(
        "D10", "T1562.001", [service.workload], HOUR, "recreated with log driver none", "config", host=container.host
    )


def exec_burst(world: World, now: float, strong: bool) -> None:
    """E01: reconnaissance commands one after the other; dampened, one shell at night in which the rest is typed."""
    strike = Strike(world, now, strong)
    service = strike.victim("db", "cache", "queue", "api", "web")
    container = service.containers[0]
    engine = world.engines[container.host]
    if strong:
        count = int(strike.rng.integers(8, 14))
        for i, command in enumerate(strike.rng.choice(_RECON, count, replace=False).tolist()):
            engine.execute(
                container, command, now + i * float(strike.rng.uniform(0.6, 1.2)), int(strike.rng.random() < 0.3)
            )
    else:
        engine.execute(
            container,
            str(world.pick(["/bin/sh -i", "sh -c sh", "/bin/dash"])),
            now,
            lasts=float(strike.rng.uniform(200, 900)),
        )
    strike.record(
        "E01",
        "T1609 T1059.013 T1613",
        [service.workload],
        10 * MINUTE,
        "commands inside a service container",
        "control",
        host=container.host,
    )


def tool_drop(world: World, now: float, strong: bool) -> None:
    """E02: a file copied in and started detached from a temporary path; its exec does not end."""
    strike = Strike(world, now, strong)
    service = strike.victim("api", "worker", "web", "cache", lasting=4 * HOUR)
    drop(strike, service.containers[0])
    if strong:
        ts = strike.beacon_times(now + 12, 3 * HOUR, 90, 0.25)
        strike.call_home(ts, service.containers[0].address, world.outside.stranger(), TOOLS["python"])
    strike.record(
        "E02",
        "T1105 T1609",
        [service.workload],
        3 * HOUR if strong else 10 * MINUTE,
        "cp and exec -d of a dropped tool",
        "control network" if strong else "control",
        host=service.containers[0].host,
    )


def drop(strike: Strike, container: Container) -> None:
    engine, path = strike.world.engines[container.host], strike.hiding_path()
    engine.of(container, "extract-to-dir", strike.now)
    if strike.strong:
        engine.execute(container, f"chmod +x {path}", strike.now + 2)
    engine.execute(container, f"sh -c {path} &" if strike.strong else f"python3 {path}", strike.now + 5, lasts=None)


def silent_restart_policy(world: World, now: float, strong: bool) -> None:
    """D05: limits lifted and restart made permanent in place."""
    strike = Strike(world, now, strong)
    service = strike.victim("cache", "db", "queue", "search")
    container = service.containers[0]
    engine = world.engines[container.host]
    wanted = (
        {
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
            "PidsLimit": -1,
            "NanoCpus": 0,
            "Memory": 0,
            "MemorySwap": 0,
        }
        if strong
        else {"PidsLimit": -1}
    )
    container.spec = container.spec.but(settings={**container.spec.settings, **wanted})
    engine.of(container, "update", now)
    engine.inspect(container, now + 0.4, running=True)
    strike.record(
        "D05",
        "T1543.005 T1496.001",
        [service.workload],
        10 * MINUTE,
        f"update {', '.join(wanted)}",
        "config control",
        host=container.host,
    )
