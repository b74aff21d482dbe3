# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Which services the estate has, where they run and how they are configured."""

import itertools
from collections import defaultdict
from typing import Any

from service.emulation.estate.edges import edges_of
from service.emulation.estate.engine import Spec
from service.emulation.estate.ids import hex_id, swarm_id
from service.emulation.estate.outside import runtime
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import client
from service.emulation.estate.world import Service, World


def populate(world: World) -> None:
    wanted, layout = world.options.workloads, world.layout
    infrastructure = _infrastructure(world)[: max(6, int(wanted * layout.infrastructure))]
    world.services += infrastructure
    jobs = 6 if wanted >= 40 else 3
    room = max(5, wanted - len(infrastructure) - pods(world) - jobs)
    for index in itertools.count():
        count = min(room, int(world.rng.integers(5, 8)) if room > 8 else room)
        if count < 2:
            break
        _project(world, index, count)
        room -= count
    for service in world.services:
        _first_containers(world, service)
    _edges(world)


def pods(world: World) -> int:
    """Return how many workloads run in Kubernetes: few, as long as there is one namespace."""
    wanted = world.options.workloads
    return min(8, max(2, round(wanted * world.layout.pods))) if wanted >= 8 else 0


def _project(world: World, index: int, count: int) -> None:
    rng = world.rng
    name = world.names.project(index)
    hosts = list(world.engines)
    home = list(dict.fromkeys(hosts[(index + 3 * k) % len(hosts)] for k in range(2 if index % 3 == 0 else 1)))
    size = float(rng.lognormal(0, 0.5)) * (2.0 if index == 0 else 1.0)
    optional = ["worker", "queue", "admin", "search"]
    rng.shuffle(optional)
    roles = ["web", "api", "db", "cache", *optional]
    for role in roles[:count]:
        replicas = {"web": 2, "api": 2, "worker": int(rng.integers(1, 4))}.get(role, 1)
        service = compose(world, name, role, home if replicas > 1 else home[:1], replicas)
        service.size = size
        world.services.append(service)


def compose(world: World, project: str, role: str, hosts: list[str], replicas: int) -> Service:
    rng = world.rng
    stock, listens = world.layout.stock, world.layout.port
    own = role not in stock
    repository, tag, port = stock.get(
        role, (f"registry.corp.example/{project}/{role}", f"1.{rng.integers(2, 30)}.0", listens)
    )
    labels = {
        "com.docker.compose.project": project, "com.docker.compose.service": role,
        "com.docker.compose.config-hash": hex_id(rng), "com.docker.compose.oneoff": "False",
        "com.docker.compose.version": "2.27.1", "com.docker.compose.project.working_dir": f"/srv/{project}",
    }  # fmt: skip
    env = {"TZ": "UTC", "APP_ENV": "production", "LOG_LEVEL": "info"} | _environment(role, listens)
    if own:
        labels["org.opencontainers.image.source"] = f"https://git.corp.example/{project}/{role}"
        env["RELEASE"] = tag
    memory = int(rng.choice([256, 512, 1024, 2048])) * 2**20
    settings: dict[str, Any] = {
        "RestartPolicy": {"Name": str(rng.choice(["always", "unless-stopped"])), "MaximumRetryCount": 0},
        "Memory": memory, "MemorySwap": memory, "CapDrop": ["ALL"] if own and rng.random() < 0.5 else None,
        "SecurityOpt": ["no-new-privileges:true"] if rng.random() < 0.5 else None,
        "ReadonlyRootfs": bool(own and rng.random() < 0.3),
        "Binds": [f"{project}_{role}-data:/var/lib/data"] if role in {"db", "queue", "search"} else None,
    }  # fmt: skip
    if role == "web":
        settings["PortBindings"] = {f"{listens}/tcp": [{"HostIp": "", "HostPort": str(rng.integers(20_000, 29_999))}]}
    health = {"db": "pg_isready -U app", "cache": "redis-cli ping", "queue": "rabbitmq-diagnostics -q ping"}.get(
        role, ""
    )
    template = Spec(
        repository, network=f"{project}_default", labels=labels, env=env, settings=settings, ports=(port,), health=health,
        user="10001" if own else "", command=_command(role),
    )  # fmt: skip
    service = Service(
        f"docker:{project}/{role}",
        role,
        project,
        role,
        hosts,
        repository,
        tag,
        runtime(rng, role),
        template,
        "compose",
        replicas,
        port,
    )
    service.health_every = float(rng.choice([120, 300, 600])) if health and rng.random() < 0.5 else 0.0
    if role in {"api", "worker", "web"}:
        rates = {"api": (2.0, 12.0), "worker": (2.0, 14.0), "web": (0.4, 3.0)}[role]
        service.sites = [
            (world.outside.usual(), float(rng.uniform(*rates)))
            for _ in range(int(rng.integers(0 if role == "web" else 1, 4)))
        ]
    if role == "db" and rng.random() < 0.15:
        service.sites = [
            (world.outside.site(f"dr-{project}.standby.example", 1, port=5432 if rng.random() < 0.5 else 443), 4.0)
        ]
    if role in {"api", "search", "queue"} and rng.random() < 0.3:
        service.heartbeat = world.outside.usual()
    return service


def _environment(role: str, port: int) -> dict[str, str]:
    return {
        "db": {"POSTGRES_USER": "app", "PGDATA": "/var/lib/data/pg"}, "api": {"DB_HOST": "db", "CACHE_HOST": "cache", "PORT": str(port)},
        "web": {"API_URL": f"http://api:{port}", "PORT": str(port)}, "worker": {"QUEUE_URL": "amqp://queue", "CONCURRENCY": "4"},
    }.get(role, {})  # fmt: skip


def _command(role: str) -> list[str]:
    return {
        "db": ["docker-entrypoint.sh", "postgres", "-c", "max_connections=200"], "cache": ["docker-entrypoint.sh", "redis-server"],
        "queue": ["docker-entrypoint.sh", "rabbitmq-server"], "web": ["/app/entrypoint", "serve"], "api": ["/app/entrypoint", "api"],
        "worker": ["/app/entrypoint", "work"],
    }.get(role, ["/app/entrypoint"])  # fmt: skip


def _plain(world: World, name: str, host: str, repository: str, **options: Any) -> Service:
    tag = options.pop("tag", f"v{world.rng.integers(1, 3)}.{world.rng.integers(1, 60)}.0")
    role, port = options.pop("role", name), options.pop("port", 9000)
    template = Spec(
        repository,
        settings={"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}} | options.pop("settings", {}),
        **options,
    )
    return Service(
        f"docker:{host}/{name}",
        role,
        "",
        name,
        [host],
        repository,
        tag,
        client(f"{name}/{tag}"),
        template,
        "plain",
        1,
        port,
    )


def _swarm(world: World, name: str, hosts: list[str], repository: str, **options: Any) -> Service:
    replicas, role = options.pop("replicas", len(hosts)), options.pop("role", name)
    tag = f"v{world.rng.integers(1, 4)}.{world.rng.integers(1, 20)}.{world.rng.integers(10)}"
    labels = {
        "com.docker.swarm.service.name": name,
        "com.docker.swarm.service.id": swarm_id(world.rng),
        "com.docker.swarm.node.id": swarm_id(world.rng),
    }
    template = Spec(
        repository,
        network="swarm_net",
        labels=labels,
        ports=(options.get("port", 8080),),
        settings=options.get("settings", {}),
        env={"TZ": "UTC"},
    )
    return Service(
        f"docker:{name}",
        role,
        "",
        name,
        hosts,
        repository,
        tag,
        client(f"{name}/{tag}"),
        template,
        "swarm",
        replicas,
        options.get("port", 8080),
    )


def _infrastructure(world: World) -> list[Service]:
    """List by importance; a small estate takes the first ones."""
    hosts, mirror = list(world.engines), "hub-mirror.corp.example"
    sock = {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}
    last, mid = hosts[-1], hosts[len(hosts) // 2]
    shipper = _swarm(
        world,
        "log-shipper",
        hosts,
        f"{mirror}/fluent/fluent-bit",
        settings={"Binds": ["/var/log:/var/log:ro", "/var/lib/docker/containers:/var/lib/docker/containers:ro"]},
    )
    exporter = _swarm(
        world, "node-exporter", hosts, "quay.io/prometheus/node-exporter", port=9100,
        settings={"PidMode": "host", "Privileged": True, "Binds": ["/:/host:ro,rslave", "/proc:/host/proc:ro", "/sys:/host/sys:ro"]},
    )  # fmt: skip
    prometheus = compose(world, "monitoring", "prometheus", [mid], 1)
    prometheus.client = client("Prometheus/2.53.0")
    services = [
        _plain(world, "ci-runner", last, "gitlab/gitlab-runner", settings=sock), prometheus, shipper, exporter,
        _plain(world, "crawler", mid, "registry.corp.example/research/crawler", tag="2.4.1"),
        _plain(world, "watchtower", hosts[0], "containrrr/watchtower", settings=sock),
        _plain(world, "edge-proxy", hosts[0], f"{mirror}/library/traefik", tag="v3.0.4", settings=sock, port=8443),
        _swarm(world, "image-resizer", hosts[:3], "registry.corp.example/platform/image-resizer", replicas=3, role="worker"),
        _plain(world, "trivy", hosts[-2 % len(hosts)], "aquasec/trivy", tag="0.53.0", settings=sock),
        _plain(world, "ci-runner", hosts[-2 % len(hosts)], "gitlab/gitlab-runner", settings=sock),
        compose(world, "monitoring", "grafana", [mid], 1), compose(world, "monitoring", "alertmanager", [mid], 1),
        _swarm(world, "mailer", hosts[:2], "registry.corp.example/platform/mailer", replicas=2, role="worker"),
        _plain(world, "portainer", hosts[0], "portainer/portainer-ce", tag="2.20.3", settings=sock),
        _cadvisor(world, mid),
        _plain(world, "vpn", hosts[1 % len(hosts)], "linuxserver/wireguard", settings={"CapAdd": ["NET_ADMIN"], "Devices": [{"PathOnHost": "/dev/net/tun", "PathInContainer": "/dev/net/tun", "CgroupPermissions": "rwm"}]}),
        _plain(world, "mirror-cache", hosts[2 % len(hosts)], f"{mirror}/sonatype/nexus3", tag="3.70.1"),
    ]  # fmt: skip
    for service in services:
        if service.workload == "docker:image-resizer" or service.name == "mailer":
            service.sites = [(world.outside.vendor(), 8.0)]
    shipper.sites = [(world.outside.site("logs.collector.example", 4), 0.0)]
    return services + _further(world, hosts[8:])


def _further(world: World, hosts: list[str]) -> list[Service]:
    """List what a larger estate has more of, as it has more machines."""
    sock = {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}
    services = []
    for number, host in enumerate(hosts):
        if number % 3 == 0:
            services.append(_cadvisor(world, host))
        if number % 12 == 5:
            services.append(_plain(world, "ci-runner", host, "gitlab/gitlab-runner", settings=sock))
        if number % 20 == 10:
            services.append(_plain(world, "trivy", host, "aquasec/trivy", tag="0.53.0", settings=sock))
    return services


def _cadvisor(world: World, host: str) -> Service:
    settings = {"Privileged": True, "Binds": ["/:/rootfs:ro", "/sys:/sys:ro"]}
    return _plain(world, "cadvisor", host, "gcr.io/cadvisor/cadvisor", settings=settings)


def _first_containers(world: World, service: Service) -> None:
    for index in range(service.replicas):
        age = float(world.rng.uniform(0.5, 40)) * DAY
        moment = world.options.start + float(world.rng.uniform(1, 40))
        world.launch(service, index, moment, adopt=age)


def _edges(world: World) -> None:
    peers: dict[str, dict[str, Service]] = defaultdict(dict)
    for service in world.services:
        peers[service.project][service.role] = service
    for service in world.services:
        world.edges += edges_of(world, service, peers[service.project])
