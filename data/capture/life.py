"""The benign life of the estate: cron, pipelines, releases, restarts, operators; each is written down as it happens."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from data.capture.estate import SERVICES, Service
from data.capture.lab import BASE, TOOLBOX, Lab

Action = Callable[[], None]
BY_NAME = {service.name: service for service in SERVICES}
# Acts on one service each: a note, and the shares of the whole life at which they start.
SERVICE_ACTS: dict[str, tuple[str, tuple[tuple[float, str], ...]]] = {
    "rollout": (
        "new tag and environment on every replica",
        (
            (0.12, "worker"),
            (0.24, "web"),
            (0.36, "api"),
            (0.49, "notify"),
            (0.6, "web"),
            (0.68, "worker"),
            (0.735, "web"),
            (0.89, "web"),
        ),
    ),
    "agent_upgrade": (
        "vendor image upgraded from the mirror",
        ((0.14, "node-exporter"), (0.34, "logship"), (0.57, "scraper"), (0.72, "scraper"), (0.86, "node-exporter")),
    ),
    "restart": (
        "container restarted",
        (
            (0.08, "notify"),
            (0.2, "scraper"),
            (0.31, "cache"),
            (0.45, "logship"),
            (0.53, "edge"),
            (0.67, "api"),
            (0.78, "scraper"),
            (0.9, "notify"),
            (0.965, "edge"),
        ),
    ),
    "ops_exec": (
        "an operator looks inside",
        (
            (0.1, "api"),
            (0.26, "worker"),
            (0.39, "worker"),
            (0.51, "db"),
            (0.64, "api"),
            (0.76, "worker"),
            (0.91, "edge"),
        ),
    ),
    "ops_cp": (
        "an operator copies a file in",
        ((0.17, "worker"), (0.42, "api"), (0.56, "worker"), (0.66, "edge"), (0.865, "scraper")),
    ),
    "resource_update": (
        "memory limit changed in place",
        ((0.27, "db"), (0.44, "cache"), (0.61, "db"), (0.835, "cache")),
    ),
    "autoscale": ("a third replica for an hour", ((0.29, "web"), (0.47, "web"), (0.82, "web"))),
}
INIT_JOBS = (0.09, 0.18, 0.41, 0.62, 0.83, 0.94)
MAINTENANCE = (0.05, 0.21, 0.33, 0.465, 0.59, 0.695, 0.77, 0.88)
PATCHED = ("logship", "node-exporter", "notify", "worker")
UPGRADES = (0.11, 0.22, 0.38, 0.55, 0.815, 0.93)


class Notes:
    """What happened when, in stretched time; safe to use from several threads."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.rows: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def add(self, start: str, **more: Any) -> None:  # noqa: ANN401 (free keys)
        """Add one note that ends now."""
        with self._lock:
            self.rows.append({**more, "host": self.lab.host(), "start": start, "end": self.lab.clock.stamp()})

    def write(self, path: Path, letter: str) -> None:
        """Write the notes as JSON, numbered in the order of their starts."""
        rows = sorted(self.rows, key=lambda row: str(row["start"]))
        numbered = [{"id": f"{letter}{number:03d}", **row} for number, row in enumerate(rows, 1)]
        path.write_text(json.dumps(numbered, indent=1) + "\n")


class Life:
    """The benign acts, each a method that takes what it works on.

    Parameters
    ----------
    lab
        The estate at work.
    notes
        Where each act is written down.
    seed
        Seed of the schedule.
    """

    def __init__(self, lab: Lab, notes: Notes, seed: int = 7) -> None:
        self.lab = lab
        self.notes = notes
        self.random = random.Random(seed)  # noqa: S311 (a schedule)
        self.builds = 0
        self._counting = threading.Lock()

    def act(self, kind: str, name: str, work: Action, note: str) -> Action:
        """Return work that holds the lock of what it works on and writes itself down."""

        def run() -> None:
            with self.lab.locks[name]:
                start = self.lab.clock.stamp()
                work()
                service = BY_NAME.get(name)
                self.notes.add(
                    start,
                    kind=kind,
                    workload=service.workload if service else f"docker:{self.lab.host()}/{name}",
                    note=note,
                )

        return run

    def schedule(self, total: float) -> list[tuple[float, Action]]:
        """Return the acts of a life of `total` stretched seconds, with the seconds at which each starts."""
        plan: list[tuple[float, Action]] = [*self._cron(total), *self._pipelines(total)]
        works: dict[str, Callable[[Service], None]] = {
            "rollout": self.release,
            "agent_upgrade": self.release,
            "restart": self.lab.restart,
            "ops_exec": self.look,
            "ops_cp": self.hotfix,
            "resource_update": self.resize,
            "autoscale": self.scale,
        }
        for kind, (note, turns) in SERVICE_ACTS.items():
            for share, name in turns:
                plan.append((share * total, self.act(kind, name, partial(works[kind], BY_NAME[name]), note)))
        initialise = self.act("capadd_init", "init-sysctl", self.initialise, "short job with NET_ADMIN")
        plan += [(share * total, initialise) for share in INIT_JOBS]
        upgrade = self.act("apt_upgrade_job", "apt-upgrade", self.upgrade, "downloads from the package mirror")
        plan += [(share * total, upgrade) for share in UPGRADES]
        plan += [(share * total, self.maintain) for share in MAINTENANCE]
        return sorted(plan, key=lambda entry: entry[0])

    def _cron(self, total: float) -> Iterator[tuple[float, Action]]:
        for start in range(1200, int(total) - 300, 3600):
            yield (
                start + self.random.uniform(0, 20),
                self.act("cron_backup", "backup", self.backup, "hourly dump to the backup store"),
            )

    def _pipelines(self, total: float) -> Iterator[tuple[float, Action]]:
        at = 2400.0
        while at < total - 900:
            yield at, self.act("ci", "ci-job", self.pipeline, "pull, job, build, push, remove")
            at += self.random.uniform(1500, 2400) if 7 <= at / 3600 % 24 <= 20 else self.random.uniform(4200, 7200)  # noqa: PLR2004

    def backup(self) -> None:
        """Dump the database to the backup store."""
        self.lab.job(f"backup-{int(self.lab.clock.origin + self.lab.clock.now())}", "backup", "shop_data")

    def pipeline(self) -> None:
        """Pull the base, run a job, build, push and remove a new tag."""
        with self._counting:
            self.builds += 1
            number = self.builds
        self.lab.engine.docker("pull", "-q", BASE)
        if number % 4 == 0:
            self.lab.engine.docker("pull", "-q", TOOLBOX)
        self.lab.job(
            f"ci-job-{number}", "job", "ci_build", ("--label", "com.gitlab.gitlab-runner.job.id=" + str(4100 + number))
        )
        service = self.random.choice([BY_NAME[name] for name in ("web", "api", "worker")])
        reference = f"{service.repository}:build-{number}"
        self.lab.build(reference, {"serve": service.serve, "loops": service.loops}, f"build-{number}")
        self.lab.engine.docker("push", "-q", reference)
        self.lab.engine.docker("rmi", reference)

    def release(self, service: Service) -> None:
        """Build and push the next version of a service and roll it out to every replica."""
        head, last = self.lab.versions[service.name].rsplit(".", 1)
        version = f"{head}.{int(last) + 1}"
        reference = f"{service.repository}:{version}"
        self.lab.build(reference, {"serve": service.serve, "loops": service.loops}, version)
        self.lab.engine.docker("push", "-q", reference)
        self.lab.engine.docker("rmi", reference)
        self.lab.engine.docker("pull", "-q", reference)
        self.lab.versions[service.name] = version
        for number in range(1, service.replicas + 1):
            self.lab.down(service.container(number))
            self.lab.up(service, number)

    def look(self, service: Service) -> None:
        """Run two harmless commands in a container."""
        for command in (["ls", "/var/log"], ["df", "-h"]):
            self.lab.engine.docker("exec", service.container(), *command)

    def hotfix(self, service: Service) -> None:
        """Copy a text file into a container."""
        path = self.lab.folder / "hotfix.txt"
        path.write_text("retry = 3\n")
        self.lab.engine.docker("cp", str(path), f"{service.container()}:/app/settings.txt")

    def resize(self, service: Service) -> None:
        """Change the memory limit in place."""
        size = self.random.choice(("288m", "320m", "352m"))
        self.lab.engine.docker("update", "--memory", size, "--memory-swap", size, service.container())

    def scale(self, service: Service) -> None:
        """Run a third replica for a stretched hour."""
        self.lab.up(service, 3)
        threading.Event().wait(3600 / self.lab.clock.factor)
        self.lab.down(service.container(3))

    def maintain(self) -> None:
        """Stop several services together and start them in another order, so that they swap addresses."""
        services = [BY_NAME[name] for name in PATCHED]
        with ExitStack() as stack:
            for service in services:
                stack.enter_context(self.lab.locks[service.name])
            start = self.lab.clock.stamp()
            for service in services:
                self.lab.engine.docker("stop", "-t", "1", service.container())
            self.random.shuffle(services)
            for service in services:
                self.lab.engine.docker("start", service.container())
                self.lab.route(service.container(), service.networks[0])
            for service in services:
                self.notes.add(
                    start, kind="maintenance", workload=service.workload, note="host patched: stopped, started"
                )

    def initialise(self) -> None:
        """Run a short job with one capability."""
        self.lab.job("init-sysctl", "init", "shop_app", ("--cap-add", "NET_ADMIN"))

    def upgrade(self) -> None:
        """Download many packages."""
        self.lab.job(f"apt-upgrade-{self.random.randrange(1000, 9999)}", "apt", "ci_build")
