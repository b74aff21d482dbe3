# ruff: noqa: E501 -- tables and wire forms stay in rows
"""What people and orchestrators do to a healthy estate: scaling, crashes, fixes by hand, upgrades, new services."""

from service.emulation.estate import oddities, standing
from service.emulation.estate.edges import edges_of
from service.emulation.estate.engine import Container
from service.emulation.estate.operators import restart_once
from service.emulation.estate.releases import release, release_with_site, replace_one, roll
from service.emulation.estate.sink import DAY
from service.emulation.estate.topology import compose
from service.emulation.estate.world import HOUR, Service, World

_OPS = (
    "sh", "bash", "cat /app/config.yml", "ps aux", "df -h", "env", "ls -la /var/lib/data", "tail -n 100 /app/app.log", "top -b -n 1",
    "curl -s localhost:8080/health",
)  # fmt: skip
_OPS_BY_ROLE = {
    "db": ("psql -U app -c select * from pg_stat_activity", "psql -U app", "pg_dump --schema-only app"),
    "cache": ("redis-cli info", "redis-cli dbsize"), "queue": ("rabbitmqctl list_queues",),
    "api": ("/app/entrypoint migrate --status", "python manage.py shell"), "worker": ("/app/entrypoint queue --stats",),
}  # fmt: skip


def schedule(world: World) -> None:
    options, rng = world.options, world.rng
    owned = [s for s in world.services if s.kind == "compose" and s.repository.startswith("registry.corp")]
    for day in range(options.days):
        low = options.start + day * DAY
        weekend = int((low // DAY + 3) % 7) >= 5

        def working(a: float = 8.5, b: float = 17.5, low: float = low) -> float:
            return low + float(rng.uniform(a, b)) * HOUR

        for service in owned:
            if rng.random() < (0.02 if weekend else 0.22):
                world.at(working(), release, service)
        for _ in range(int(rng.poisson(0.5 if weekend else max(1.0, options.workloads / 22)))):
            world.at(working(7, 20), ops_exec)
        for act, mean in ((hotfix, 0.012), (resource_update, 0.03), (_crash, 0.05), (_vendor_upgrade, 0.012)):
            for _ in range(int(rng.poisson(mean * options.workloads * (0.5 if weekend else 1.0)))):
                world.at(low + float(rng.uniform(0, 24)) * HOUR if act is _crash else working(), act)
        for service in world.role("web"):
            if service.size > 1.0 and not weekend:
                world.at(working(9, 14), scale_up, service)
    _guaranteed(world, owned)
    oddities.schedule(world)
    standing.label(world)


def _guaranteed(world: World, owned: list[Service]) -> None:
    """Place at least one of each rarer act on both sides of the split."""
    options, rng = world.options, world.rng
    watched = [options.watch + d * DAY for d in range(options.days - options.learn_days)]
    learned = [options.start + d * DAY for d in range(options.learn_days)]
    for days in (learned, watched):
        for act in (hotfix, resource_update, ops_exec, _agent_upgrade):
            world.at(world.pick(days) + float(rng.uniform(9, 17)) * HOUR, act)
        if options.workloads >= 40:
            world.at(world.pick(days) + float(rng.uniform(1, 6)) * HOUR, _reboot, world.pick(list(world.engines)))
        for _ in range(max(1, len(days) * options.workloads // 120)):
            world.at(world.pick(days) + float(rng.uniform(9, 16)) * HOUR, release_with_site, world.pick(owned))
        world.at(world.pick(days) + float(rng.uniform(9, 15)) * HOUR, scale_up, world.pick(world.role("web")))
        if options.workloads >= 40:
            world.at(world.pick(days) + float(rng.uniform(9, 15)) * HOUR, _new_service, world.pick(owned).project)


def scale_up(world: World, now: float, service: Service) -> None:
    if now < service.frozen_until:
        return
    extra = int(world.rng.integers(1, 5))
    base, lasts = service.replicas, float(world.rng.uniform(0.7, 4)) * HOUR
    for i in range(extra):
        container = world.launch(service, base + i, now + 2 + 3 * i)
        world.at(now + lasts + 5 * i, _scale_down, service, container)
    world.ledger.lookalike("autoscale", service.workload, now, now + lasts + 30)


def _scale_down(world: World, now: float, service: Service, container: Container) -> None:
    if container in service.containers:
        world.retire(service, container, now, code=0)


def _anyone(world: World, now: float) -> tuple[Service, Container] | None:
    candidates = [s for s in world.services if s.containers and now > s.frozen_until]
    service = world.pick(candidates)
    return service, world.pick(service.containers)


def _crash(world: World, now: float) -> None:
    service, container = _anyone(world, now)  # type: ignore[misc]
    code = int(world.rng.choice([1, 137, 139, 2]))
    for i in range(int(world.rng.choice([1, 1, 1, 3]))):
        world.at(now + 5.0 * i, restart_once, service, container, code)
    world.ledger.lookalike("crash", service.workload, now, now + 30)


def ops_exec(world: World, now: float) -> None:
    service, container = _anyone(world, now)  # type: ignore[misc]
    engine, clock = world.engines[container.host], now
    pool = (*_OPS, *_OPS_BY_ROLE.get(service.role, ()), *_OPS_BY_ROLE.get(service.role, ()))
    for _ in range(int(world.rng.integers(1, 5))):
        engine.execute(
            container,
            pool[int(world.rng.integers(len(pool)))],
            clock,
            int(world.rng.random() < 0.1),
            float(world.rng.exponential(20)),
        )
        clock += float(world.rng.exponential(90)) + 2
    world.ledger.lookalike("ops_exec", service.workload, now, clock)


def hotfix(world: World, now: float) -> None:
    service = world.pick([s for s in world.role("web", "api", "worker", "admin") if now > s.frozen_until])
    for i, container in enumerate(list(service.containers)):
        engine, clock = world.engines[container.host], now + 40.0 * i
        engine.of(container, "extract-to-dir", clock)
        engine.execute(
            container, str(world.rng.choice(["kill -HUP 1", "/app/entrypoint reload", "ls -la /app"])), clock + 12
        )
        if world.rng.random() < 0.5:
            engine.of(container, "archive-path", clock + 20)
    world.ledger.lookalike("cp_hotfix", service.workload, now, now + 40.0 * len(service.containers) + 30)


def resource_update(world: World, now: float) -> None:
    service, container = _anyone(world, now)  # type: ignore[misc]
    engine = world.engines[container.host]
    memory = int(world.rng.choice([384, 768, 1536, 3072])) * 2**20
    for each in [container] if service.kind == "plain" else service.containers:
        engine = world.engines[each.host]
        each.spec = each.spec.but(settings={**each.spec.settings, "Memory": memory, "MemorySwap": memory})
        engine.of(each, "update", now)
        engine.inspect(each, now + 0.4, running=True)
    service.template = service.template.but(
        settings={**service.template.settings, "Memory": memory, "MemorySwap": memory}
    )
    world.ledger.lookalike("resource_update", service.workload, now, now + 60)


def _vendor_upgrade(world: World, now: float) -> None:
    """Take a newer patch version of a stock image: the config stays, the image moves."""
    stock = [
        s
        for s in world.services
        if s.kind == "compose" and not s.repository.startswith("registry.corp") and now > s.frozen_until
    ]
    if stock:
        service = world.pick(stock)
        service.tag = f"{service.tag.split('-')[0]}.{world.rng.integers(1, 9)}"
        end = roll(world, now, service, migrate=False)
        world.ledger.lookalike("release", service.workload, now, end + 60)


def _agent_upgrade(world: World, now: float) -> None:
    """Replace an agent on every host, one after the other, each back within a minute."""
    agents = [s for s in world.role("log-shipper", "node-exporter") if s.containers]
    if not agents:
        return
    service = world.pick(agents)
    major, minor, _ = service.tag.split(".")
    service.tag = f"{major}.{minor}.{world.rng.integers(10, 99)}"
    for index, container in enumerate(list(service.containers)):
        world.pull(container.host, service.image, now + 30.0 * index - 12)
        world.at(now + 30.0 * index, replace_one, service, container, service.hosts.index(container.host))
    world.ledger.lookalike("agent_upgrade", service.workload, now, now + 30.0 * len(service.hosts) + 30)


def _reboot(world: World, now: float, host: str) -> None:
    """Take a host down for its new kernel and let everything on it start again."""
    for service in world.services:
        for container in list(service.containers):
            if container.host == host and now > service.frozen_until and container.started < now - 60:
                world.restart(service, container, now + float(world.rng.uniform(0, 3)), 0)
                world.ledger.lookalike("reboot", service.workload, now, now + 60)
    world.ledger.lookalike("reboot", f"host:{host}", now, now + 60)


def _new_service(world: World, now: float, project: str) -> None:
    """Add a service to a team's project."""
    role = str(world.rng.choice(["admin", "search", "worker"]))
    if world.find(project, role):
        role = "worker2"
    sibling = next(s for s in world.services if s.project == project)
    service = compose(world, project, role, sibling.hosts[:1], 1)
    service.size, service.role = sibling.size, role.rstrip("2")
    service.last_release = now
    world.services.append(service)
    runner = world.role("ci-runner")[0]
    if service.repository.startswith("registry.corp"):
        world.new_tag(
            service.repository,
            service.tag,
            now - 300,
            address=world.engines[runner.hosts[0]].address,
            agent=world.registry.engine_agent,
        )
    world.pull(service.hosts[0], service.image, now - 10)
    world.launch(service, 0, now)
    world.edges += edges_of(world, service)
    world.ledger.lookalike("new_service", service.workload, now, now + 24 * HOUR)
