"""Put the estate on the engine: images, services, replicas, jobs, routes."""

import contextlib
import json
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from data.capture import images
from data.capture.engine import Engine
from data.capture.estate import HOST, JOBS, MIRROR, NAME_SERVER, NETWORKS, OWN, SERVICES, Service
from data.capture.stretch import Clock
from data.capture.world import OUTSIDE, USERS, WORLD, world_plan

BASE = f"{OWN}/base/python:3.11"
TOOLBOX = f"{MIRROR}/library/busybox:1.35"


class Lab:
    """The estate at work on one engine.

    Parameters
    ----------
    engine
        A started engine.
    clock
        The clock that turns real seconds into stretched ones.
    folder
        Where build contexts go.
    """

    def __init__(self, engine: Engine, clock: Clock, folder: Path) -> None:
        self.engine = engine
        self.clock = clock
        self.folder = folder
        self.versions = {service.name: service.version for service in SERVICES}
        self.locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self.pem = images.certificate(folder)

    def prepare(self) -> None:
        """Make the networks, the base images and the world outside, and push the first images to their registries."""
        for name, (subnet, bridge, _, _) in NETWORKS.items():
            self.engine.network(name, subnet, bridge)
        self.engine.network(*OUTSIDE)
        for reference, tar in ((BASE, images.python_tar()), (TOOLBOX, images.busybox_tar())):
            self.engine.docker("import", "-c", 'CMD ["sh"]', "-", reference, stdin=tar)
            self.engine.docker("push", reference)
        for service in SERVICES:
            reference = f"{service.repository}:{service.version}"
            self.build(reference, {"serve": service.serve, "loops": service.loops}, service.version)
            self.engine.docker("push", reference)
            self.engine.docker("rmi", reference)
        for name, loops in JOBS.items():
            self.build(self.job_image(name), {"loops": loops}, "2.1")
            self.engine.docker("push", self.job_image(name))
        self._world()

    def _world(self) -> None:
        self.build("range/world:1", world_plan(), "1")
        addresses = [*sorted(set(WORLD.values())), NAME_SERVER, *USERS]
        script = (
            "".join(f"ip address add {address}/32 dev lo; " for address in addresses) + "exec python3 /app/actor.py"
        )
        self.engine.docker(
            "create",
            "--name",
            "world",
            "--network",
            OUTSIDE[0],
            "--cap-add",
            "NET_ADMIN",
            "--sysctl",
            "net.ipv4.ip_forward=1",
            "range/world:1",
            "sh",
            "-c",
            script,
        )
        for network, (_, _, gateway, _) in NETWORKS.items():
            self.engine.docker("network", "connect", "--ip", gateway, network, "world")
        self.engine.docker("start", "world")

    def build(self, reference: str, plan: dict[str, Any], version: str) -> None:
        """Build one image of the estate with the actor and a plan."""
        full = {"factor": self.clock.factor, "start": self.clock.start, **plan}
        folder = images.context(
            self.folder / "build" / f"{reference.replace('/', '_')}-{time.time_ns()}", BASE, full, version, self.pem
        )
        images.build(self.engine, reference, folder)

    @staticmethod
    def job_image(name: str) -> str:
        """Return the image of a kind of job."""
        return f"{OWN}/shop/{name}:2.1"

    def start_all(self) -> None:
        """Start every service, the resolver first."""
        for service in sorted(SERVICES, key=lambda one: one.name != "resolver"):
            for number in range(1, service.replicas + 1):
                self.up(service, number)

    def up(self, service: Service, number: int = 1, options: tuple[str, ...] = (), *, pull: bool = True) -> None:
        """Create and start one container of a service, as Compose would, pulling its image if it is not there."""
        reference = f"{service.repository}:{self.versions[service.name]}"
        if pull and not self.engine.docker("images", "-q", reference):
            self.engine.docker("pull", "-q", reference)
        labels = {"project": service.project, "service": service.name, "container-number": number, "oneoff": "False"}
        command = ["create", "--name", service.container(number), "--restart", "unless-stopped"]
        for key, value in labels.items():
            command += ["--label", f"com.docker.compose.{key}={value}"]
        environment = {"VERSION": self.versions[service.name], **service.environment}
        if self.versions[service.name] != service.version:
            environment["RELEASE"] = f"r{self.versions[service.name]}"
        for key, value in environment.items():
            command += ["-e", f"{key}={value}"]
        if service.health is not None:
            command += ["--health-cmd", service.health, "--health-interval", "6s", "--health-timeout", "3s"]
        command += [option.format(socket=self.engine.socket) for option in service.options]
        self.start(service.container(number), service.networks, (*command, *options), reference, alias=service.name)

    def start(
        self,
        name: str,
        networks: tuple[str, ...],
        command: tuple[str, ...],
        image: str,
        arguments: tuple[str, ...] = (),
        alias: str | None = None,
    ) -> None:
        """Create a container on its first network, connect the others, start it and set its default route."""
        first, *others = networks
        known = ("--network-alias", alias) if alias else ()
        fixed = ("--ip", NETWORKS[first][3]) if alias == "resolver" else ()
        self.engine.docker(*command, "--network", first, "--dns", NETWORKS[first][3], *known, *fixed, image, *arguments)
        for other in others:
            also = ("--alias", alias) if alias else ()
            extra = ("--ip", NETWORKS[other][3]) if alias == "resolver" else ()
            self.engine.docker("network", "connect", *also, *extra, other, name)
        self.engine.docker("start", name)
        self.route(name, first)

    def route(self, container: str, network: str) -> None:
        """Set a container's default route to the world; one that has ended already needs none."""
        with contextlib.suppress(LookupError):
            command = [
                "nsenter",
                "-t",
                str(self.engine.pid(container)),
                "-n",
                "ip",
                "route",
                "replace",
                "default",
                "via",
                NETWORKS[network][2],
            ]
            subprocess.run(command, check=False, capture_output=True)

    def down(self, name: str) -> None:
        """Stop and remove one container."""
        self.engine.docker("stop", "-t", "1", name)
        self.engine.docker("rm", name)

    def restart(self, service: Service, number: int = 1) -> None:
        """Restart one container and set its route again."""
        self.engine.docker("restart", "-t", "1", service.container(number))
        self.route(service.container(number), service.networks[0])

    def job(self, name: str, kind: str, network: str, options: tuple[str, ...] = ()) -> None:
        """Run one job of a kind to its end and let it remove itself."""
        self.start(name, (network,), ("create", "--rm", "--name", name, *options), self.job_image(kind))
        self.engine.docker("wait", name, check=False, timeout=60)

    def inside(self, container: str, loops: list[dict[str, Any]], seconds: float) -> None:
        """Run loops inside a container without an engine event, as code run through a hole in the application would.

        Parameters
        ----------
        container
            Whose network and file system to use.
        loops
            What to ask.
        seconds
            Real seconds after which the loops are ended.
        """
        plan = json.dumps(
            {"factor": self.clock.factor, "start": self.clock.start, "loops": loops, "route": False}
        ).encode()
        command = [
            "nsenter",
            "-t",
            str(self.engine.pid(container)),
            "-n",
            "-m",
            "/usr/bin/python3",
            "/app/actor.py",
            "-",
        ]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, input=plan, timeout=seconds, check=True, capture_output=True)

    @staticmethod
    def host() -> str:
        """Return the host's name in every record."""
        return HOST
