"""Who is who while a scenario is played: the victim, the machine, the foothold and the sites; and what it touched."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec.structs import replace

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
            self.shows(f"host:{self.host}", f"ip:{self.world.engines[self.host].address}")
            return self.world.engines[self.host].address
        container = self.container(who)
        if self.victim is not None and container in self.victim.containers:
            self.shows(self.victim.workload)
        return str(container.address)

    def client(self, name: str) -> Client:
        """Return how a tool, or the victim, presents itself."""
        return self.victim.client if name == "victim" and self.victim is not None else TOOLS.get(name, TOOLS["none"])

    def leave(self, spec: Spec, now: float, *, lives: float = 0.0) -> Container:
        """Run a container on the machine; it becomes the foothold."""
        container = self.world.engines[self.host].run(spec, now)
        self.foothold = container
        self.shows(*candidates(self.host, container.name, spec.image))
        if lives:
            self.world.at(container.started + lives, _end, container)
            self.lasts(container.started + lives)
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
    service.attacked, service.frozen_until = True, until + HOUR
    return service


def _end(world: World, now: float, container: Container) -> None:
    engine = world.engines[container.host]
    engine.die(container, now, 0)
    engine.remove(container, now + 0.2)


def candidates(host: str, name: str, image: str) -> list[str]:
    """List the names under which a plain container may be known."""
    repository = image.split("@", maxsplit=1)[0]
    repository = repository.rsplit(":", 1)[0] if ":" in repository.rsplit("/", 1)[-1] else repository
    short = repository.split("/", 1)[1] if "." in repository.split("/")[0] and "/" in repository else repository
    by_name, by_image = f"docker:{host}/{name}", [f"docker:{host}/image:{short}", f"docker:{host}/image:{repository}"]
    return list(dict.fromkeys([*by_image, by_name] if "_" in name else [by_name, *by_image]))
