"""A Dask cluster of this machine, and runs of the job in processes of their own, so that each of them can be killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": "1", "PYTHONWARNINGS": "ignore"}
DASK = str(Path(sys.executable).with_name("dask"))
PATIENCE = 120.0  # seconds that a process may take to do what is awaited
RUN = """
import sys
from pathlib import Path
from service.jobs import holdings
from service.jobs.errors import JobError
from service.jobs.windows import extract_windows
from service.settings import Settings
from service.wiring import open_home

home, events, executor, scheduler = sys.argv[1:]
holdings.EVENTS, holdings.SLICE_BYTES = int(events), 100 * int(events)
try:
    extract_windows(open_home(Settings.load(Path(home), {})), executor=executor, scheduler=scheduler)
except JobError as error:
    sys.exit(str(error))
"""


@dataclass
class Cluster:
    """A scheduler and its workers."""

    scheduler: subprocess.Popen[bytes]
    address: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Start a scheduler and workers without nannies on loopback, and end what is left of them."""
    folder.mkdir(exist_ok=True)
    told = folder / "scheduler.json"
    loopback = ["--host", "127.0.0.1"]
    scheduler = start([DASK, "scheduler", *loopback, "--port", "0", "--no-dashboard", "--scheduler-file", str(told)])
    found = Cluster(scheduler, "")
    try:
        await_that(lambda: told.exists() and told.read_text().endswith("}"))
        found.address = json.loads(told.read_text())["address"]
        own = [*loopback, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder)]
        found.workers += [start([DASK, "worker", found.address, *own]) for _ in range(workers)]
        yield found
    finally:
        for process in (*found.workers, scheduler):
            process.kill()
            process.wait()


def run(home: Path, events: int, executor: str, scheduler: str = "") -> subprocess.Popen[bytes]:
    """Start the extraction of windows, `events` to a bucket; what it complains of can be read."""
    return start([sys.executable, "-c", RUN, str(home), str(events), executor, scheduler], subprocess.PIPE)


def start(command: list[str], complaints: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=complaints)


def await_that(holds: Callable[[], bool]) -> None:
    """Wait until something holds.

    Raises
    ------
    TimeoutError
        If it does not for `PATIENCE`.
    """
    until = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.02)
