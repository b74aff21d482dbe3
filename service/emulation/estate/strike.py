# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
# ruff: noqa: E501 -- tables and wire forms stay in rows
# ruff: noqa: S108 -- made-up paths, never opened
"""What attacks share: choice of a victim, timing, a foothold container, the entry in the ground truth."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from service.emulation.estate.engine import Container, Spec
from service.emulation.estate.ids import iso
from service.emulation.estate.wire import Client, Site, client
from service.emulation.estate.world import HOUR, Service, World

TOOLS = {name: client(agent, "tool") for name, agent in {
    "curl": "curl/7.58.0", "wget": "Wget/1.21", "python": "python-urllib/3.9", "go": "Go-http-client/1.1", "none": "",
}.items()}  # fmt: skip
_HIDING = (
    "kube-proxy-helper", "systemd-resolve", "node-agent", "dockerd-helper", "csi-sync", "coredns-cache", "kubelet-probe",
    "containerd-monitor", "log-rotate", "net-watch", "disk-health", "ntp-sync", "metrics-sidecar", "cert-renew",
)  # fmt: skip
_PATHS = ("/tmp/.x", "/dev/shm/.cache", "/var/tmp/.sysd", "/tmp/.font-unix/fd", "/dev/shm/kw")


@dataclass
class Strike:
    """One attack under way at `now`; `strong` is the loud variant, otherwise its maker lowered the signal."""

    world: World
    now: float
    strong: bool

    @property
    def rng(self) -> np.random.Generator:
        return self.world.rng

    def victim(self, *roles: str, replicated: bool = False, lasting: float = 2 * HOUR) -> Service:
        """Choose a service nobody has attacked, of the first role that has one, and keep releases away from it."""
        world = self.world
        for pool in (
            [s for s in world.role(*roles) if not s.attacked],
            [s for s in world.services if s.kind == "compose" and not s.attacked],
            world.role(*roles),
            world.services,
        ):
            fit = [
                s
                for s in pool
                if s.containers and (not replicated or len(s.containers) > 1) and s.project != "monitoring"
            ]
            if fit:
                service: Service = world.pick(fit)
                break
        service.attacked, service.frozen_until = True, self.now + lasting + HOUR
        return service

    def record(
        self, scenario: str, techniques: str, where: list[str], lasting: float, note: str, families: str, **more: Any
    ) -> None:
        world, number = self.world, len(self.world.ledger.attacks) + 1
        host = more.pop("host", "")
        end = min(self.now + lasting, world.options.end - 1)
        world.ledger.attacks.append({
            "id": f"A{number:02d}", "scenario": scenario, "technique": techniques.split(), "variant": "strong" if self.strong else "dampened",
            "workload": where[0], "workloads": where, "host": host, "start": iso(self.now), "end": iso(end), "note": note,
            "expected_families": families.split(), **more,
        })  # fmt: skip

    def beacon_times(self, start: float, lasting: float, period: float, jitter: float) -> np.ndarray:
        gaps = period * (1 + self.rng.uniform(-jitter, jitter, int(lasting / period / (1 - jitter)) + 2))
        ts = start + np.cumsum(gaps)
        return ts[ts < start + lasting]

    def call_home(self, ts: np.ndarray, address: str, site: Site, who: Client, **options: Any) -> None:
        """Beat on a destination with small, nearly constant messages, over TLS or plain HTTP."""
        count = len(ts)
        sizes = options.pop(
            "sizes",
            (
                380 + self.rng.integers(0, 30, count),
                240 + self.rng.integers(0, 60, count),
                self.rng.lognormal(-2, 0.2, count),
            ),
        )
        self.world.wire.to_site(ts, address, site, who, sizes, look_ups=0.3, **options)

    def foothold(self, host: str, spec: Spec, now: float, *, lives: float | None = None) -> Container:
        engine = self.world.engines[host]
        container = engine.run(spec, now)
        if lives is not None:
            self.world.at(container.started + lives, _end, container)
        return container

    def hiding_name(self) -> str:
        return str(self.world.pick(list(_HIDING)))

    def hiding_path(self) -> str:
        return str(self.world.pick(list(_PATHS)))

    def host(self) -> str:
        hosts = list(self.world.engines)
        return str(self.world.pick(hosts[:-2] or hosts))


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
    generated = "_" in name
    own = [f"host:{host}", f"ip:10.0.0.{10 + int(host[1:])}"]  # pulls and their flows are the host's
    return list(dict.fromkeys([*by_image, by_name, *own] if generated else [by_name, *by_image, *own]))
