"""Who is who while a scenario is played: the victim, the machine, the foothold and the sites; and what it touched."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec.structs import replace

from features.identity import docker_workload
from service.emulation.estate.engine import Container, Spec
from service.emulation.estate.ids import iso
from service.emulation.estate.wire import Client, client
from service.emulation.estate.wire import Site as Address
from service.emulation.estate.world import HOUR, Service, World
from service.emulation.labels import Attack
from service.emulation.scenario import Scenario, Variant

TOOLS = {name: client(agent, "tool") for name, agent in {
    "curl": "curl/7.58.0", "wget": "Wget/1.21", "python": "python-urllib/3.9", "go": "Go-http-client/1.1", "none": "",
}.items()}  # fmt: skip


@dataclass
class Cast:
    """A scenario under way.

    Acts call `shows` for every workload in whose windows the act can be seen, and `lasts` with the moment until which
    it leaves telemetry: both become the ground truth. `known` keeps who or what an act had to choose once; a stage of a
    chain is `within` the chain, which has it among its `parts` and shows and lasts what they do.
    """

    world: World
    scenario: Scenario
    variant: Variant
    begin: float
    victim: Service | None = None
    host: str = ""
    foothold: Container | None = None
    sites: dict[str, Address] = field(default_factory=dict)
    workloads: list[str] = field(default_factory=list)
    until: float = 0.0
    chain: str = ""
    notes: list[str] = field(default_factory=list)
    made: str = ""
    pulled: dict[tuple[str, str], float] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    within: "Cast | None" = None
    parts: list["Cast"] = field(default_factory=list)

    @property
    def rng(self) -> np.random.Generator:
        return self.world.rng

    def shows(self, *workloads: str) -> None:
        self.workloads += [workload for workload in dict.fromkeys(workloads) if workload not in self.workloads]
        if self.within:
            self.within.shows(*workloads)

    def lasts(self, until: float) -> None:
        self.until = max(self.until, until)
        if self.within:
            self.within.lasts(until)

    def began(self, moment: float) -> None:
        """Note that something of the scenario went on before its first event was told."""
        self.begin = min(self.begin, moment)

    def image(self, reference: str) -> str:
        """Return what `victim`, or a reference whose registry is the name of a site, stands for."""
        if reference == "victim":
            return str(self.container("victim").spec.image)
        registry, slash, rest = reference.partition("/")
        if not slash or registry not in self.sites:
            return reference
        site = self.sites[registry]
        registry = site.name if site.port == 443 else f"{site.name}:{site.port}"
        self.world.outside.registries.setdefault(registry, site)
        return f"{registry}/{rest}"

    def container(self, who: str) -> Any:  # noqa: ANN401 -- a container of an engine, or a pod
        """Return the container that `victim` or `foothold` stands for now."""
        if who == "foothold" and self.foothold is not None:
            return self.foothold
        if self.victim is None or not self.victim.containers:
            raise LookupError(f"{self.scenario.id}: nobody is there as {who}")
        return self.victim.containers[0]

    def address(self, who: str) -> str:
        """Return the address from which `victim`, `foothold` or `host` speaks, and note that they show it."""
        if who == "host":
            return self._of_host(self.host)
        container = self.container(who)
        network = getattr(container, "network", "")  # a pod has none of its own
        if network == "host":
            return self._of_host(container.host)
        if network.startswith("container:"):
            return self.address("victim")
        if self.victim is not None and container in self.victim.containers:
            self.shows(self.victim.workload)
        else:
            self.shows(workload_of(container))
        return str(container.address)

    def _of_host(self, host: str) -> str:
        address = self.world.engines[host].address
        self.shows(f"ip:{address}", f"host:{host}")  # which of the two depends on what a registry heard of it
        return address

    def client(self, name: str) -> Client:
        """Return how a tool, or the victim, presents itself."""
        return self.victim.client if name == "victim" and self.victim is not None else TOOLS.get(name, TOOLS["none"])

    def leave(self, spec: Spec, now: float, *, lives: float = 0.0) -> Container:
        """Run a container on the machine; it becomes the foothold."""
        container = self.world.engines[self.host].run(spec, now)
        self.foothold = container
        self.shows(workload_of(container))
        self.lasts(container.started + 1)
        if lives:
            self.world.at(container.started + lives, _end, container)
            self.lasts(container.started + lives + 1)
        return container

    def labels(self, number: int) -> list[Attack]:
        """Return the ground truth of what was played; of a chain, its own and that of each of its stages."""
        own = self.label(number)
        return [
            own,
            *(replace(part.label(number), id=f"{own.id}.{i}", chain=own.id) for i, part in enumerate(self.parts, 1)),
        ]

    def label(self, number: int) -> Attack:
        """Return the ground truth of what was played, of a chain as one."""
        begin = min([self.begin, *(part.begin for part in self.parts)])
        end = min(max(self.until, begin + 60), self.world.options.end - 1)
        scenario = self.scenario
        shown = self.workloads or [self.victim.workload if self.victim else f"host:{self.host}"]
        return Attack(
            id=f"A{number:03d}", scenario=scenario.id, variant=self.variant, techniques=scenario.techniques,
            workload=shown[0], workloads=tuple(shown), start=iso(begin), end=iso(end),
            families=scenario.families, reasons=scenario.reasons, lookalikes=scenario.lookalikes, chain=self.chain,
            benign=scenario.benign, host=self.host, note="; ".join(self.notes) or scenario.name,
        )  # fmt: skip


def choose_victim(world: World, roles: tuple[str, ...], *, replicated: bool, until: float) -> Service:
    """Choose a service nobody has attacked, of the first role that has one, and keep releases away from it."""
    for pool in (
        [s for s in world.role(*roles) if not s.attacked],
        [s for s in world.services if s.kind == "compose" and not s.attacked],
        world.role(*roles),
        world.services,
    ):
        fit = [
            s for s in pool if s.containers and (not replicated or len(s.containers) > 1) and s.project != "monitoring"
        ]
        if fit:
            service: Service = world.pick(fit)
            break
    service.attacked, service.frozen_until = True, max(service.frozen_until, until + HOUR)
    return service


def _end(world: World, now: float, container: Container) -> None:
    if not container.pid:  # somebody removed it before its time
        return
    engine = world.engines[container.host]
    engine.die(container, now, 0)
    engine.remove(container, now + 0.2)


def workload_of(container: Container) -> str:
    """Name the workload of a container as whoever reads the engine's events does: by the name it was created under."""
    spec = container.spec
    return docker_workload(container.host, spec.name or container.name, spec.image, spec.labels)
