# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
# ruff: noqa: E501 -- tables and wire forms stay in rows
"""A Docker Engine per host as its API shows it: events, inspect snapshots, addresses that are leased and reused."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from service.emulation.estate.ids import digest, hex_id, iso_nano
from service.emulation.estate.sink import Sink
from service.emulation.estate.snapshots import snapshot
from service.emulation.estate.vocabulary import Vocabulary

FOREVER = 1e12


@dataclass(frozen=True)
class Spec:
    """What was asked for when a container was created; `settings` overrides HostConfig."""

    image: str
    name: str = ""
    network: str = "bridge"
    labels: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    user: str = ""
    ports: tuple[int, ...] = ()
    health: str = ""
    tty: bool = False
    hostname: str = ""

    def but(self, **changes: Any) -> "Spec":
        return replace(self, **changes)


@dataclass
class Lease:
    address: str
    start: float
    end: float = FOREVER


@dataclass
class Container:
    id: str
    name: str
    host: str
    spec: Spec
    digest: str
    created: float
    network: str
    network_id: str
    mac: str
    endpoint: str
    pid: int
    address: str = ""
    started: float = 0.0
    restarts: int = 0
    lease: Lease | None = None
    extra_networks: dict[str, str] = field(default_factory=dict)


@dataclass
class Subnet:
    """Lowest free address first, so that an address is soon someone else's."""

    prefix: str
    taken: dict[int, float] = field(default_factory=dict)

    def lease(self, now: float) -> str:
        number = next(n for n in range(2, 255) if self.taken.get(n, -1.0) < now)
        self.taken[number] = FOREVER
        return f"{self.prefix}.{number}"

    def release(self, address: str, now: float) -> None:
        self.taken[int(address.rsplit(".", 1)[1])] = now + 1.0


@dataclass(frozen=True)
class Place:
    """A machine: its name, its address, and where the networks of its containers come from."""

    host: str
    address: str
    networks: Iterator[str]


class Engine:
    def __init__(
        self, place: Place, sink: Sink, rng: np.random.Generator, images: dict[str, str], names: Vocabulary
    ) -> None:
        self.host, self.address, self._networks = place.host, place.address, place.networks
        self.sink, self.rng, self.images, self.names = sink, rng, images, names
        self.subnets: dict[str, Subnet] = {}
        self._network_ids: dict[str, str] = {}
        self.local: dict[str, str] = {}

    def network_id(self, network: str) -> str:
        if network not in self._network_ids:
            self._network_ids[network] = hex_id(self.rng)
        return self._network_ids[network]

    def subnet(self, network: str) -> Subnet:
        if network not in self.subnets:
            self.subnets[network] = Subnet(next(self._networks))
        return self.subnets[network]

    def digest_of(self, reference: str) -> str:
        """Return the digest this host holds under a reference; a host keeps what it pulled until it pulls again."""
        if reference not in self.local:
            self.local[reference] = self.images.setdefault(reference, digest(self.rng))
        return self.local[reference]

    def emit(self, kind: str, action: str, actor: str, attributes: dict[str, str], now: float) -> None:
        nano = int(now * 1e6) * 1000 + int(self.rng.integers(1000))
        event: dict[str, Any] = {}
        if kind in {"container", "image"}:
            event = {"status": action, "id": actor}
            if kind == "container":
                event["from"] = attributes["image"]
        event |= {
            "Type": kind, "Action": action, "Actor": {"ID": actor, "Attributes": dict(sorted(attributes.items()))},
            "scope": "local", "time": nano // 10**9, "timeNano": nano, "host": self.host,
        }  # fmt: skip
        self.sink.json(f"events-{self.host}", now, event)

    def of(self, container: Container, action: str, now: float, **attributes: str) -> None:
        known = {**container.spec.labels, "image": container.spec.image, "name": container.name, **attributes}
        self.emit("container", action, container.id, known, now)

    def inspect(self, container: Container, now: float, *, running: bool) -> None:
        record = {"observed_at": iso_nano(now), "host": self.host, "inspect": snapshot(container, running=running)}
        self.sink.json("inspect", now, record)

    def pull(self, reference: str, now: float) -> None:
        self.local[reference] = self.images.setdefault(reference, digest(self.rng))
        name = reference.split("@", maxsplit=1)[0]
        name = name.rsplit(":", 1)[0] if ":" in name.rsplit("/", 1)[-1] else name
        self.emit("image", "pull", reference, {"name": name}, now)

    def image_event(self, action: str, image: str, now: float, **attributes: str) -> None:
        self.emit("image", action, image, {"name": image, **attributes}, now)

    def create(self, spec: Spec, now: float, *, quiet: bool = False) -> Container:
        network = spec.network
        container = Container(
            hex_id(self.rng), spec.name or self.names.container(self.rng), self.host, spec, self.digest_of(spec.image), now, network,
            "" if network.startswith("container:") else self.network_id(network),
            "02:42:" + ":".join(hex_id(self.rng, 2) for _ in range(4)), hex_id(self.rng), int(self.rng.integers(700, 400_000)),
        )  # fmt: skip
        if not quiet:
            self.of(container, "create", now)
            self.inspect(container, now + 0.02, running=False)
        return container

    def start(self, container: Container, now: float, *, quiet: bool = False, since: float | None = None) -> Container:
        mode = container.network
        container.started = now if since is None else since
        if not mode.startswith("container:"):
            if mode not in {"host", "none"}:
                container.address = self.subnet(mode).lease(now)
                container.lease = Lease(container.address, container.started)
            if not quiet:
                self._connect(container, "connect", now - 0.15)
        if not quiet:
            self.of(container, "start", now)
        self.inspect(container, now + self.rng.uniform(0.05, 0.6), running=True)
        return container

    def run(self, spec: Spec, now: float) -> Container:
        container = self.create(spec, now)
        return self.start(container, now + self.rng.uniform(0.3, 1.2))

    def refuse(self, spec: Spec, now: float) -> Container:
        """Create a container whose start the runtime refuses; it is taken away again."""
        container = self.create(spec, now)
        if not container.network.startswith("container:"):
            self._connect(container, "connect", now + 0.3)
            self._connect(container, "disconnect", now + 0.6)
        self.remove(container, now + 1.1)
        return container

    def adopt(self, spec: Spec, now: float, since: float) -> Container:
        """Show a container that ran before the collector did: a snapshot, no events."""
        container = self.create(spec, since, quiet=True)
        return self.start(container, now, quiet=True, since=since)

    def _connect(self, container: Container, action: str, now: float, network: str = "") -> None:
        name = network or container.network
        kind = name if name in {"host", "none"} else "bridge"
        kind = "null" if kind == "none" else kind
        self.emit(
            "network", action, self.network_id(name), {"container": container.id, "name": name, "type": kind}, now
        )

    def attach(self, container: Container, network: str, now: float) -> str:
        address = self.subnet(network).lease(now)
        container.extra_networks[network] = address
        self._connect(container, "connect", now, network)
        self.inspect(container, now + 0.3, running=True)
        return address

    def die(self, container: Container, now: float, code: int = 0, *, stopped: bool = False) -> None:
        if stopped:
            self.of(container, "kill", now - 0.3, signal="15")
        self.of(container, "die", now, exitCode=str(code))
        if not container.network.startswith("container:"):
            self._connect(container, "disconnect", now + 0.08)
        if stopped:
            self.of(container, "stop", now + 0.12)
        if container.lease:
            container.lease.end = now
            self.subnet(container.network).release(container.address, now)

    def remove(self, container: Container, now: float) -> None:
        self.of(container, "destroy", now)

    def restart(self, container: Container, now: float, code: int = 1) -> Container:
        self.die(container, now, code)
        container.restarts += 1
        return self.start(container, now + self.rng.uniform(0.4, 2.0))

    def execute(self, container: Container, command: str, now: float, code: int = 0, lasts: float | None = 0.2) -> None:
        """Run a command inside; `lasts` of None never ends while anyone looks."""
        identity = hex_id(self.rng)
        self.of(container, f"exec_create: {command}", now, execID=identity)
        self.of(container, f"exec_start: {command}", now + 0.003, execID=identity)
        if lasts is not None:
            self.of(container, "exec_die", now + lasts, execID=identity, exitCode=str(code))

    def build(
        self, tag: str, base: str, steps: list[str], now: float, network: str = "none"
    ) -> tuple[float, list[Container]]:
        """Show a legacy build: a short container with a generated name per step, then the tag."""
        made, clock, image = [], now, self.digest_of(base)
        for step in steps:
            spec = Spec(image, network=network, command=["/bin/sh", "-c", step])
            container = self.create(spec, clock)
            self.of(container, "attach", clock + 0.01)
            self.start(container, clock + 0.3)
            made.append(container)
            clock += float(self.rng.uniform(2, 25))
            self.die(container, clock)
            self.remove(container, clock + 0.4)
            image, clock = digest(self.rng), clock + 0.6
        self.local[tag] = image
        self.emit("image", "tag", image, {"name": tag}, clock)
        return clock, made
