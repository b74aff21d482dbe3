"""What is measured and with what: a home with a learnt model, its server, and bodies of real windows."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from benchmarks.serving_speed import learnt, part
from features.windows import Windows
from service.settings import Settings
from service.wiring import open_home

SERVE = "from service.cli import main; main()"
OPEN = {"WHARFINGER_REQUESTS_PER_SECOND": "0"}


def make_home(folder: Path) -> Windows:
    """Learn an estate into `folder / "home"`, and give the windows that follow."""
    detector, windows = learnt(folder / "estate")
    home = open_home(Settings.load(folder / "home", {}))
    home.registry.promote(home.registry.save(detector.artefact(), created_at=detector.normal.baseline.until))
    home.database.close()
    return windows


def body_of(windows: Windows, count: int) -> bytes:
    """Write the first windows as a request: every feature that a window has, by its name."""
    asked = part(windows, count)
    met: dict[tuple[object, ...], dict[str, dict[str, int]]] = {}
    for workload, start, feature, item, times in asked.items.iter_rows():
        met.setdefault((workload, start), {}).setdefault(feature, {})[item] = times
    images, told = dict(asked.facts.iter_rows()), []
    for row in asked.values.iter_rows(named=True):
        key = row.pop("workload"), row.pop("window_start")
        features = {name: value for name, value in row.items() if value is not None} | met.get(key, {})
        window = {"workload": key[0], "window_start": key[1], "features": features}
        told.append(window | ({"image_repository": images[key[0]]} if images.get(key[0]) else {}))
    return msgspec.json.encode({"windows": told})


class Running:
    """A server in a process of its own.

    Parameters
    ----------
    port
        Where it listens.
    process
        What was started; its web worker is a child of it.
    """

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process

    def worker(self) -> psutil.Process:
        """Give the web worker: of the children the one that runs the same program."""
        master = psutil.Process(self.process.pid)
        (worker,) = [child for child in master.children() if child.cmdline() == master.cmdline()]
        return worker

    def everything(self) -> list[psutil.Process]:
        master = psutil.Process(self.process.pid)
        return [master, *master.children(recursive=True)]

    def wait(self, path: str) -> None:
        for _ in range(1200):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", path)
                if connection.getresponse().status < 500:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"the server on port {self.port} does not get ready")


@contextmanager
def running(arguments: list[str], core: int, **environ: str) -> Iterator[Running]:
    """Run a server that is told its port as `{port}`, on one core."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *(argument.format(port=port) for argument in arguments)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environ},
        stderr=subprocess.DEVNULL,
    )
    psutil.Process(process.pid).cpu_affinity([core])
    try:
        yield Running(port, process)
    finally:
        process.terminate()
        process.wait(60)
