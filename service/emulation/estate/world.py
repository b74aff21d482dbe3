# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
"""What every part of the simulation shares: the clock, the engines, the services, the outside and the ground truth."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from service.emulation.estate.engine import Container, Engine, Lease, Spec
from service.emulation.estate.ids import digest, iso, swarm_id
from service.emulation.estate.layouts import Layout
from service.emulation.estate.lookalikes import lookalike
from service.emulation.estate.outside import Outside
from service.emulation.estate.registry import Registry
from service.emulation.estate.sink import DAY, Sink
from service.emulation.estate.vocabulary import Vocabulary
from service.emulation.estate.wire import Client, Site, Wire
from service.emulation.labels import Lookalike
from service.emulation.scenario import Variant
from service.emulation.splits import Split

HOUR = 3600.0
MINUTE = 60.0


@dataclass(frozen=True)
class Options:
    out: Path
    start: float
    days: int = 9
    learn_days: int = 7
    workloads: int = 84
    flows: int = 1_000_000
    seed: int = 1
    split: Split = Split.DEVELOPMENT
    variants: tuple[Variant, ...] = ("high", "dampened")
    scenarios: tuple[str, ...] = ()
    every_variant: bool = False

    @property
    def watch(self) -> float:
        return self.start + self.learn_days * DAY

    @property
    def end(self) -> float:
        return self.start + self.days * DAY


@dataclass
class Service:
    """A workload whose containers come and go."""

    workload: str
    role: str
    project: str
    name: str
    hosts: list[str]
    repository: str
    tag: str
    client: Client
    template: Spec
    kind: str = "compose"
    replicas: int = 1
    port: int = 8080
    size: float = 1.0
    sites: list[tuple[Site, float]] = field(default_factory=list)
    health_every: float = 0.0
    heartbeat: Site | None = None
    containers: list[Any] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    frozen_until: float = 0.0
    last_release: float = 0.0
    silent_after: float = 1e12
    agent_of: str = ""
    attacked: bool = False

    @property
    def image(self) -> str:
        return f"{self.repository}:{self.tag}"


@dataclass
class Ledger:
    """Ground truth: scenarios under way, those that nobody could play, and benign acts that look like attacks."""

    casts: list[Any] = field(default_factory=list)
    unplayed: list[str] = field(default_factory=list)
    lookalikes: list[Lookalike] = field(default_factory=list)

    def lookalike(self, act: str, workload: str, start: float, end: float) -> None:
        self.lookalikes.append(lookalike(act, workload, iso(start), iso(end)))


@dataclass
class World:
    options: Options
    sink: Sink
    wire: Wire
    outside: Outside
    registry: Registry
    rng: np.random.Generator
    engines: dict[str, Engine]
    names: Vocabulary
    layout: Layout
    services: list[Service] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    cluster: Any = None
    edges: list[Any] = field(default_factory=list)
    scale: float = 1.0
    moods: dict[str, np.ndarray] = field(default_factory=dict)
    quiet_hosts: dict[str, float] = field(default_factory=dict)
    _queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = field(default_factory=list)
    _serial: int = 0

    def at(self, when: float, act: Callable[..., None], *arguments: Any) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (when, self._serial, act, arguments))

    def run_until(self, limit: float) -> None:
        while self._queue and self._queue[0][0] < limit:
            when, _, act, arguments = heapq.heappop(self._queue)
            act(self, when, *arguments)

    def role(self, *roles: str) -> list[Service]:
        return [service for service in self.services if service.role in roles]

    def find(self, project: str, name: str) -> Service | None:
        return next((s for s in self.services if s.project == project and s.name == name), None)

    def pick(self, items: list[Any]) -> Any:
        return items[int(self.rng.integers(len(items)))]

    def launch(
        self, service: Service, index: int, now: float, *, adopt: float | None = None, spec: Spec | None = None
    ) -> Container:
        """Start replica `index`; with `adopt` it has been running since that long before."""
        engine = self.engines[service.hosts[index % len(service.hosts)]]
        spec = (spec or service.template).but(image=service.image, **named(service, index, self.rng))
        container = engine.run(spec, now) if adopt is None else engine.adopt(spec, now, now - adopt)
        service.containers.append(container)
        if container.lease:
            service.leases.append(container.lease)
        return container

    def retire(self, service: Service, container: Container, now: float, *, code: int = 143) -> None:
        engine = self.engines[container.host]
        engine.die(container, now, code, stopped=True)
        engine.remove(container, now + 0.9)
        service.containers.remove(container)

    def restart(self, service: Service, container: Container, now: float, code: int = 1) -> None:
        self.engines[container.host].restart(container, now, code)
        if container.lease:
            service.leases.append(container.lease)

    def new_tag(self, repository: str, tag: str, now: float, *, address: str, agent: str) -> str:
        """Put a new manifest under a tag and let the registry tell of it."""
        value = digest(self.rng)
        self.registry.images[f"{repository}:{tag}"] = value
        self.registry.notify("push", repository, tag, now, address=address, agent=agent)
        return value

    def pull(self, host: str, reference: str, now: float) -> None:
        """Pull on a host: engine event, flow from the host to the registry, notification of an own registry."""
        engine = self.engines[host]
        engine.pull(reference, now)
        first, slash, _ = reference.partition("/")
        registry = first if slash and "." in first else "docker.io"
        site = self.outside.registries.get(registry) or self.outside.registry(registry)
        sizes = (4_000, int(self.rng.lognormal(16.5, 1.2)), float(self.rng.uniform(1, 15)))
        self.wire.to_site(np.array([now - sizes[2]]), engine.address, site, self.outside.engine_client, sizes)
        if registry == "registry.corp.example":
            repository, tag = (
                reference.split("@", maxsplit=1)[0].rsplit(":", 1)
                if ":" in reference.split("@", maxsplit=1)[0]
                else (reference, "latest")
            )
            self.registry.notify(
                "pull", repository, tag, now - 0.5, address=engine.address, agent=self.registry.engine_agent
            )


def named(service: Service, index: int, rng: np.random.Generator) -> dict[str, Any]:
    """Name and labels as the orchestrator of a service gives them to replica `index`."""
    labels = dict(service.template.labels)
    if service.kind == "compose":
        labels |= {"com.docker.compose.container-number": str(index + 1)}
        return {"name": f"{service.project}-{service.name}-{index + 1}", "labels": labels}
    if service.kind == "swarm":
        task = swarm_id(rng)
        labels |= {
            "com.docker.swarm.task": "",
            "com.docker.swarm.task.id": task,
            "com.docker.swarm.task.name": f"{service.name}.{index + 1}.{task}",
        }
        return {"name": f"{service.name}.{index + 1}.{task}", "labels": labels}
    return {"name": service.name, "labels": labels}
