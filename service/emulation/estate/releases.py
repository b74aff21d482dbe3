# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
"""Releases of a service: push, pull, migrate, replace the replicas one by one; rollbacks."""

from dataclasses import replace
from typing import Any

import numpy as np

from service.emulation.estate.edges import site_edge
from service.emulation.estate.engine import Container
from service.emulation.estate.ids import hex_id
from service.emulation.estate.jobs import finish
from service.emulation.estate.outside import runtime
from service.emulation.estate.wire import Shape
from service.emulation.estate.world import HOUR, MINUTE, Service, World


def release(world: World, now: float, service: Service, *, new_site: bool = False) -> None:
    """Push a version from CI, migrate, and replace the replicas one by one."""
    if now < service.frozen_until or now - service.last_release < 2 * HOUR:
        return
    rng, service.last_release = world.rng, now
    previous = service.tag
    service.tag = next_tag(world, service, larger=rng.random() >= 0.6)
    runner = world.role("ci-runner")[0]
    world.new_tag(
        service.repository,
        service.tag,
        now - 90,
        address=world.engines[runner.hosts[0]].address,
        agent=world.registry.engine_agent,
    )
    world.engines[runner.hosts[0]].image_event("push", service.image, now - 90)
    env: dict[str, Any] = {**service.template.env, "RELEASE": service.tag}
    if rng.random() < 0.25:
        env[f"FEATURE_{world.outside.word().upper()}"] = "1"
    settings = dict(service.template.settings)
    if rng.random() < 0.12:
        settings["Memory"] = settings["MemorySwap"] = int(settings["Memory"] * 1.5)
    service.template = service.template.but(env=env, settings=settings)
    end = roll(world, now, service, migrate=service.role == "api" and rng.random() < 0.6)
    world.ledger.lookalike("release", service.workload, now - 90, end + 60)
    if rng.random() < 0.08:
        service.client = runtime(rng, service.role)
    if new_site or rng.random() < 0.02:
        site = world.outside.vendor()
        service.sites.append((site, 6.0))
        world.at(end, begin_site, service, site)
    elif rng.random() < 0.1:
        world.at(end + float(rng.uniform(20, 90)) * MINUTE, rollback, service, previous)


def next_tag(world: World, service: Service, *, larger: bool = False) -> str:
    """Return the version after this one; one that was pushed and taken back is not made again."""
    major, minor, patch = (int(part) for part in service.tag.split(".")[:3])
    minor, patch = (minor + 1, 0) if larger else (minor, patch + 1)
    while f"{service.repository}:{major}.{minor}.{patch}" in world.registry.images:
        patch += 1
    return f"{major}.{minor}.{patch}"


def release_with_site(world: World, now: float, service: Service) -> None:
    """Release a version that talks to a software service nobody used before."""
    release(world, now, service, new_site=True)


def begin_site(world: World, now: float, service: Service, site: Any) -> None:
    edge = replace(site_edge(service, site, float(world.rng.uniform(4, 12)) * service.size, world.rng), since=now)
    world.edges.append(edge)
    ts = now + np.sort(world.rng.uniform(0, HOUR, 3 * len(service.containers)))
    src = np.array([service.containers[i % len(service.containers)].address for i in range(len(ts))], dtype=object)
    world.wire.to_site(ts, src, site, service.client, edge.shape.draw(world.rng, len(ts)))
    world.ledger.lookalike("new_saas", service.workload, now, now + 24 * HOUR)


def rollback(world: World, now: float, service: Service, previous: str) -> None:
    if now < service.frozen_until:
        return
    service.tag = previous
    service.template = service.template.but(env={**service.template.env, "RELEASE": previous})
    end = roll(world, now, service, migrate=False)
    world.ledger.lookalike("rollback", service.workload, now, end + 60)


def roll(world: World, now: float, service: Service, *, migrate: bool) -> float:
    rng, clock = world.rng, now
    for host in sorted({c.host for c in service.containers}):
        world.pull(host, service.image, clock)
        clock += float(rng.uniform(4, 25))
    if migrate:
        clock = _migration(world, clock, service)
    for index, container in enumerate(list(service.containers)):
        world.at(clock, replace_one, service, container, index)
        clock += float(rng.uniform(15, 50))
    return clock


def replace_one(world: World, now: float, service: Service, container: Container, index: int) -> None:
    if container not in service.containers:
        return
    world.retire(service, container, now)
    service.template.labels.update({"com.docker.compose.config-hash": hex_id(world.rng)})
    fresh = world.launch(service, index, now + float(world.rng.uniform(1.5, 4)))
    service.containers.insert(min(index, len(service.containers) - 1), service.containers.pop())
    _start_up(world, fresh, service)


def _start_up(world: World, container: Container, service: Service) -> None:
    """Open the pools of a fresh replica at once."""
    database = world.find(service.project, "db")
    if database and database.containers and service.role in {"api", "worker"}:
        ts = container.started + np.sort(world.rng.uniform(0.2, 4, 4))
        world.wire.connections(
            ts,
            container.address,
            database.containers[0].address,
            database.port,
            sizes=Shape(2_000, 9_000, 60).draw(world.rng, 4),
            service="postgresql",
        )


def _migration(world: World, now: float, service: Service) -> float:
    engine = world.engines[service.hosts[0]]
    labels = {**service.template.labels, "com.docker.compose.oneoff": "True"}
    name = f"{service.project}-{service.name}-run-{hex_id(world.rng, 12)}"
    spec = service.template.but(image=service.image, name=name, labels=labels, command=["/app/entrypoint", "migrate"])
    job = engine.run(spec, now)
    lasts = float(world.rng.uniform(4, 40))
    database = world.find(service.project, "db")
    if database and database.containers:
        world.wire.connections(
            np.array([job.started + 0.8]),
            job.address,
            database.containers[0].address,
            database.port,
            sizes=(90_000, 40_000, lasts - 1),
            service="postgresql",
        )
    world.at(job.started + lasts, finish, job)
    world.ledger.lookalike("migration", service.workload, now, now + lasts)
    return now + lasts + 2
