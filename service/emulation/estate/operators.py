"""What operators do: look into an incident, let a service crash on until they know why, try a canary."""

from service.emulation.estate.engine import Container
from service.emulation.estate.releases import next_tag, replace_one, roll
from service.emulation.estate.world import HOUR, MINUTE, Service, World

_LOOKS = (
    "sh", "ps aux", "top -b -n 1", "env", "cat /proc/1/status", "ls -la /tmp", "netstat -tnp",
    "tail -n 500 /app/app.log", "curl -sv localhost:8080/health", "cat /etc/resolv.conf", "df -h", "kill -3 1",
)  # fmt: skip


def free(world: World, now: float, *, replicas: int = 1) -> list[Service]:
    """List the operator's own services that run and that nothing holds back."""
    return [
        s for s in world.services
        if s.kind == "compose" and s.repository.startswith("registry.corp") and len(s.containers) >= replicas
        and now > s.frozen_until
    ]  # fmt: skip


def incident_response(world: World, now: float, service: Service | None = None) -> None:
    """Look into a service by hand: many commands, a patched file, more memory, a restart."""
    if service is None:
        service = world.pick(free(world, now) or world.services)
    if not service.containers:
        return
    rng, container = world.rng, service.containers[0]
    engine, clock = world.engines[container.host], now
    for _ in range(int(rng.integers(7, 14))):
        code, lasts = int(rng.random() < 0.15), float(rng.exponential(8))
        engine.execute(container, _LOOKS[int(rng.integers(len(_LOOKS)))], clock, code, lasts)
        clock += float(rng.exponential(25)) + 1
    engine.of(container, "archive-path", clock + 5)
    engine.of(container, "extract-to-dir", clock + 60)
    memory = int(service.template.settings.get("Memory") or 2**29) * 2
    raised = {"Memory": memory, "MemorySwap": memory}
    container.spec = container.spec.but(settings={**container.spec.settings, **raised})
    service.template = service.template.but(settings={**service.template.settings, **raised})
    engine.of(container, "update", clock + 120)
    engine.inspect(container, clock + 120.4, running=True)
    world.at(clock + 180, restart_once, service, container, 143)
    world.ledger.lookalike("incident_response", service.workload, now, clock + 200)


def crash_loop(world: World, now: float) -> None:
    """Let a service crash again and again, each time after twice as long, until someone has found out why."""
    service = world.pick(free(world, now) or world.services)
    container, clock = world.pick(service.containers), now
    for number in range(int(world.rng.integers(6, 11))):
        world.at(clock, restart_once, service, container, int(world.rng.choice([1, 2, 137])))
        clock += min(60.0, 4.0 * 2**number)
    world.ledger.lookalike("crash_loop", service.workload, now, clock)


def restart_once(world: World, now: float, service: Service, container: Container, code: int) -> None:
    """Restart a container that is still there."""
    if container in service.containers and container.started < now - 1:
        world.restart(service, container, now, code)


def canary(world: World, now: float) -> None:
    """Try a version on one replica for a while, then on all of them, or take it back."""
    several = [s for s in free(world, now, replicas=2) if now - s.last_release > 2 * HOUR]
    if not several:
        return
    service = world.pick(several)
    service.last_release, previous = now, service.tag
    tried = next_tag(world, service)
    runner = world.engines[world.role("ci-runner")[0].hosts[0]]
    world.new_tag(service.repository, tried, now - 90, address=runner.address, agent=world.registry.engine_agent)
    world.pull(service.containers[0].host, f"{service.repository}:{tried}", now)
    world.at(now + 20, _try_on_one, service, tried)
    lasts = float(world.rng.uniform(20, 90)) * MINUTE
    world.at(now + lasts, _decide, service, tried, previous)
    world.ledger.lookalike("canary", service.workload, now - 90, now + lasts + 5 * MINUTE)


def _try_on_one(world: World, now: float, service: Service, tag: str) -> None:
    if not service.containers or now < service.frozen_until:
        return
    usual, template = service.tag, service.template
    service.tag, service.template = tag, template.but(env={**template.env, "RELEASE": tag})
    replace_one(world, now, service, service.containers[0], 0)
    service.tag, service.template = usual, template


def _decide(world: World, now: float, service: Service, tried: str, previous: str) -> None:
    if now < service.frozen_until or service.tag != previous:
        return
    if world.rng.random() < 0.3:
        _try_on_one(world, now, service, previous)
        return
    service.tag = tried
    service.template = service.template.but(env={**service.template.env, "RELEASE": tried})
    roll(world, now, service, migrate=False)
