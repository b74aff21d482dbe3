# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Short-lived containers of a healthy estate: CI jobs, nightly backups, package upgrades, developers' boxes, pull bursts."""

import numpy as np

from service.emulation.estate.engine import Container, Spec
from service.emulation.estate.ids import hex_id
from service.emulation.estate.rhythm import rhythm
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Shape, Site, client
from service.emulation.estate.world import HOUR, MINUTE, Service, World

_BASES = (
    "hub-mirror.corp.example/library/python:3.12-slim", "hub-mirror.corp.example/library/node:20",
    "hub-mirror.corp.example/library/golang:1.22", "hub-mirror.corp.example/library/debian:12",
    "hub-mirror.corp.example/library/maven:3.9",
)  # fmt: skip
_DEV_IMAGES = (
    "ubuntu:24.04",
    "python:3.12",
    "node:20",
    "debian:12",
    "alpine:3.20",
    "postgres:16",
    "golang:1.22",
    "jupyter/base-notebook:latest",
)
PIP, NPM, APT, CURL = (
    client(agent) for agent in ("pip/24.0", "npm/10.5.0", "Debian APT-HTTP/1.3 (2.6.1)", "curl/7.88.1")
)


def schedule(world: World) -> None:
    options, rng = world.options, world.rng
    world.outside.packages = [
        world.outside.site(name, 4) for name in ("pypi.mirror.example", "npm.mirror.example", "proxy.gomod.example")
    ]
    world.outside.debian = world.outside.site("deb.mirror.example", 3, port=80)
    world.outside.bucket = world.outside.site("backups.s3.objects.example", 4)
    density = min(1.0, options.flows / options.days / 40_000)
    for runner in world.role("ci-runner"):
        pause = float(rng.uniform(14, 24)) / max(density, 0.25) * MINUTE
        world.at(options.start + rng.uniform(60, 900), _ci_tick, runner, [int(rng.integers(40, 900))], pause)
    hosts = list(world.engines)
    databases = world.role("db")
    for index, database in enumerate(databases[: max(1, options.workloads // 20)]):
        minute = float(rng.integers(0, 59))
        for day in range(options.days):
            world.at(
                options.start + day * DAY + (1 + index % 4) * HOUR + minute * MINUTE,
                backup,
                database,
                "backup" if index else "nightly-dump",
            )
    for day in range(options.days):
        world.at(options.start + day * DAY + 4.2 * HOUR + rng.uniform(0, 1200), _apt, world.pick(hosts))
        if rng.random() < 0.8:
            world.at(options.start + day * DAY + rng.uniform(7, 18) * HOUR, _pull_burst, world.pick(hosts))
        world.at(options.start + day * DAY + 3 * HOUR + rng.uniform(0, 60), _watchtower)
        world.at(options.start + day * DAY + rng.uniform(0, 24) * HOUR, _kernel_settings, world.pick(hosts))
    exporters = [(s, world.outside.vendor(), float(rng.integers(2, 50))) for s in world.role("worker")[::3][:3]]
    for service, site, minute in exporters:
        for hour in range(options.days * 24):
            world.at(options.start + hour * HOUR + minute * MINUTE, _export, service, site)
    for host in hosts[-2:]:
        world.at(options.start + rng.uniform(0, 6) * HOUR, _dev_tick, host)


def short_flows(
    world: World, container: Container, moments: list[float], site: Site, who: object, shape: Shape
) -> None:
    ts = np.array(sorted(moments))
    world.wire.to_site(ts, container.address, site, who, shape.draw(world.rng, len(ts)))  # type: ignore[arg-type]


def finish(world: World, now: float, container: Container, code: int = 0) -> None:
    engine = world.engines[container.host]
    engine.die(container, now, code)
    engine.remove(container, now + 0.3)


def _ci_tick(world: World, now: float, runner: Service, number: list[int], pause: float) -> None:
    wave = float(rhythm(np.array([now]), night=0.25, weekend=0.35)[0])
    world.at(
        now + float(np.clip(world.rng.exponential(pause / wave), 4 * MINUTE, 80 * MINUTE)),
        _ci_tick,
        runner,
        number,
        pause,
    )
    number[0] += 1
    ci_job(world, now, runner, number[0])


def ci_job(world: World, now: float, runner: Service, number: int) -> None:
    """Pull a base, run the job, fetch packages, build, push a new tag, clean up."""
    rng, host = world.rng, runner.hosts[0]
    engine, base = world.engines[host], _BASES[min(int(rng.exponential(1.4)), len(_BASES) - 1)]
    if rng.random() < 0.015:
        base = f"hub-mirror.corp.example/library/{rng.choice(['rust', 'ruby', 'php', 'elixir', 'gradle', 'perl'])}:{rng.integers(1, 9)}.{rng.integers(0, 30)}"
    world.pull(host, base, now)
    lasts = float(np.clip(rng.lognormal(5.0, 0.7), 25, 1500))
    labels = {"com.gitlab.gitlab-runner.job.id": str(100_000 + number), "com.gitlab.gitlab-runner.type": "build"}
    owned = [s for s in world.services if s.kind == "compose" and s.repository.startswith("registry.corp")]
    target = world.pick(owned)
    env = {
        "CI": "true",
        "CI_JOB_ID": str(100_000 + number),
        "CI_PROJECT": f"{target.project}/{target.name}",
        "CI_COMMIT_SHA": hex_id(rng, 40),
    }
    settings = {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]} if rng.random() < 0.3 else {}
    spec = Spec(
        base,
        f"ci-job-{number}",
        labels=labels,
        env=env,
        settings=settings,
        command=["sh", "-c", str(rng.choice(["make test", "make build", "make lint", "pytest -q"]))],
    )
    job = engine.run(spec, now + 2)
    begin = job.started
    short_flows(
        world, job, [begin + 0.5, begin + 2], world.outside.git, client("git/2.39.2"), Shape(4_000, 900_000, 1.5, 0.8)
    )
    packages, who = world.pick(
        [
            (world.outside.packages[0], PIP),
            (world.outside.packages[1], NPM),
            (world.outside.packages[2], client("Go-http-client/2.0")),
        ]
    )
    moments = (begin + rng.uniform(3, lasts * 0.6, int(rng.integers(2, 9)))).tolist()
    short_flows(world, job, moments, packages, who, Shape(1_200, 400_000, 0.5, 1.2))
    world.at(begin + lasts, finish, job, int(rng.random() < 0.12))
    if rng.random() < 0.3:
        world.at(begin + lasts * 0.7, _ci_build, host, target, base, number)
    world.ledger.lookalike("ci", f"docker:{host}/ci-job", now, begin + lasts)


def _ci_build(world: World, now: float, host: str, target: Service, base: str, number: int) -> None:
    engine, tag = world.engines[host], f"ci-{100_000 + number}"
    steps = ["apt-get install -y build-essential", "COPY . /app", "make install"][: int(world.rng.integers(1, 4))]
    done, made = engine.build(f"{target.repository}:{tag}", base, steps, now, network="bridge")
    for container in made[:1]:
        short_flows(
            world, container, [container.started + 0.4], world.outside.debian, APT, Shape(900, 3_000_000, 2, 0.8)
        )
    world.new_tag(target.repository, tag, done + 1, address=engine.address, agent=world.registry.engine_agent)
    engine.image_event("push", f"{target.repository}:{tag}", done + 1.5)
    engine.image_event("untag", engine.local[f"{target.repository}:{tag}"], done + 5)
    engine.image_event("delete", engine.local[f"{target.repository}:{tag}"], done + 5.2)


def backup(world: World, now: float, database: Service, name: str) -> None:
    """Dump a database at night and upload the dump: gigabytes to one object store, from a container that is new each time."""
    rng, host = world.rng, database.hosts[0]
    spec = Spec("registry.corp.example/platform/backup:2.1.0", f"{name}-{int(now)}", network=f"{database.project}_default", command=["/backup.sh"],
                env={"TARGET": "s3://backups", "DB_HOST": "db"}, settings={"AutoRemove": True})  # fmt: skip
    job = world.engines[host].run(spec, now)
    volume = float(np.clip(rng.lognormal(np.log(1.5e9 * database.size), 0.25), 3e8, 2e10))
    seconds = volume / 6e7
    address = next((c.address for c in database.containers), "")
    if address:
        ts = np.array([job.started + 1])
        world.wire.connections(
            ts, job.address, address, database.port, sizes=(40_000, int(volume * 2.2), seconds), service="postgresql"
        )
    parts = max(1, int(volume / 8e8))
    ts = job.started + seconds + np.arange(parts) * 14.0
    world.wire.to_site(
        ts,
        job.address,
        world.outside.bucket,
        client("aws-cli/2.15"),
        (np.full(parts, volume / parts).astype(np.int64), 3_000, 13.0),
    )
    world.at(job.started + seconds + parts * 14.0 + 2, finish, job)
    world.ledger.lookalike("cron_backup", f"docker:{host}/{name}", now, job.started + seconds + parts * 14 + 2)


def _apt(world: World, now: float, host: str) -> None:
    rng = world.rng
    spec = Spec(
        "hub-mirror.corp.example/library/debian:12",
        f"apt-upgrade-{int(now) // 86_400}",
        command=["sh", "-c", "apt-get update && apt-get -y upgrade"],
        settings={"AutoRemove": True},
    )
    job = world.engines[host].run(spec, now)
    lasts = float(rng.uniform(40, 240))
    moments = (job.started + rng.uniform(0.5, lasts - 5, int(rng.integers(12, 50)))).tolist()
    short_flows(world, job, moments, world.outside.debian, APT, Shape(400, 2_000_000, 0.8, 1.3))
    world.at(job.started + lasts, finish, job)
    world.ledger.lookalike("apt_job", f"docker:{host}/apt-upgrade", now, now + lasts)


def _kernel_settings(world: World, now: float, host: str) -> None:
    """Set kernel parameters from a container that may, and is gone in two seconds."""
    spec = Spec(
        "registry.corp.example/platform/sysctl-init:1.0.2",
        "sysctl-init",
        network="host",
        command=["/set.sh"],
        settings={"CapAdd": ["NET_ADMIN", "SYS_ADMIN"], "AutoRemove": True},
    )
    job = world.engines[host].run(spec, now)
    world.at(job.started + 2, finish, job)
    world.ledger.lookalike("capadd_init", f"docker:{host}/sysctl-init", now, now + 4)


def _export(world: World, now: float, service: Service, site: Site) -> None:
    """Upload the hour's figures to a warehouse: large, outbound, at the same minute."""
    if not service.containers:
        return
    ts = np.array([now + world.rng.uniform(0, 20)])
    volume = int(world.rng.lognormal(np.log(4e7), 0.8) * (0.2 + rhythm(ts)[0]))
    world.wire.to_site(ts, service.containers[0].address, site, service.client, (volume, 3_000, volume / 2e7))
    if now % DAY < HOUR:
        world.ledger.lookalike("hourly_export", service.workload, now, now + DAY)


def _pull_burst(world: World, now: float, host: str) -> None:
    images = sorted({s.image for s in world.services})
    count = min(len(images), int(world.rng.integers(3, 20)))
    for i, reference in enumerate(world.rng.choice(images, count, replace=False).tolist()):
        world.pull(host, reference, now + i * float(world.rng.uniform(1.5, 4)))
    for workload in (f"host:{host}", f"ip:{world.engines[host].address}"):
        world.ledger.lookalike("prepull", workload, now, now + count * 4)


def _watchtower(world: World, now: float) -> None:
    """Look for newer images: a pull of everything that runs on the host, mostly for nothing."""
    for service in world.role("watchtower"):
        host = service.hosts[0]
        for i, reference in enumerate(sorted({s.image for s in world.services if host in s.hosts})):
            world.pull(host, reference, now + 3.0 * i)
        world.ledger.lookalike("image_scanner", service.workload, now, now + 120)


def _dev_tick(world: World, now: float, host: str) -> None:
    rng = world.rng
    wave = float(rhythm(np.array([now]), night=0.02, weekend=0.15)[0])
    world.at(now + float(np.clip(rng.exponential(1.6 * HOUR / wave), 10 * MINUTE, 9 * HOUR)), _dev_tick, host)
    if wave > 0.3:
        _dev_box(world, now, host)


def _dev_box(world: World, now: float, host: str) -> None:
    """Try something in a container, as people do: a shell, packages, a few sites, odd options now and then."""
    rng, engine = world.rng, world.engines[host]
    image = _DEV_IMAGES[min(int(rng.exponential(2.2)), len(_DEV_IMAGES) - 1)]
    if rng.random() < 0.12:
        image = f"{world.outside.word()}{world.outside.word()}/{rng.choice(['demo', 'tools', 'playground'])}:latest"
    if rng.random() < 0.5 or image not in engine.local:
        world.pull(host, image, now - 4)
    settings = {
        "AutoRemove": True,
        "Binds": [f"/home/dev{rng.integers(1, 6)}/src:/src"] if rng.random() < 0.5 else None,
    }
    if rng.random() < 0.04:
        settings["CapAdd"] = ["SYS_PTRACE"]
    box = engine.run(
        Spec(image, tty=True, command=[str(rng.choice(["bash", "sh", "python3"]))], settings=settings), now
    )
    lasts = float(np.clip(rng.lognormal(7.6, 1.0), 60, 5 * HOUR))
    for _ in range(int(rng.poisson(2))):
        engine.execute(
            box,
            str(rng.choice(["bash", "ls -la", "python3 t.py", "env", "ps aux"])),
            box.started + rng.uniform(5, lasts),
            lasts=3.0,
        )
    for _ in range(int(rng.integers(0, 4))):
        site, who = world.pick(
            [(world.outside.packages[0], PIP), (world.outside.packages[1], NPM), (world.outside.debian, APT)]
        )
        short_flows(
            world, box, (box.started + rng.uniform(3, lasts, 3)).tolist(), site, who, Shape(900, 200_000, 0.5, 1.2)
        )
    if rng.random() < 0.4:
        names, addresses = world.outside.fresh_domains(1)
        short_flows(
            world,
            box,
            [box.started + rng.uniform(3, lasts)],
            Site(names[0], (addresses[0],)),
            CURL,
            Shape(700, 30_000, 0.4),
        )
    world.at(box.started + lasts, finish, box)
    world.ledger.lookalike("dev_box", f"docker:{host}/image:{image.rsplit(':', 1)[0]}", now, box.started + lasts)
