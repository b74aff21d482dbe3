"""The real server with a learnt model, one web worker: a POST of 500 windows beside bare Flask, then load and memory.

`python -m benchmarks.serving [--rounds 60] [--connections 64] [--seconds 60] [--soak MINUTES]`. First requests are sent
one at a time, by turns to the service and to two applications that only send a body back (`benchmarks.serving.echo`):
server time is what `Server-Timing` says, CPU that of the worker's process per request, which others on the machine
disturb less. Then so many connections score windows, score events and send events, as fast as the answers come; memory
is the proportional set size (PSS) of all processes of the server. With `--soak` this goes on for so many minutes, and
the slope of memory after the first third is told.
"""

import argparse
import contextlib
import http.client
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.serving.load import Kinds, press
from benchmarks.serving.subjects import OPEN, SERVE, Running, body_of, make_home, running


@dataclass
class Timed:
    """Milliseconds of each request, as server and client see them, and CPU of the worker over all of them."""

    server: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    cpu: float = 0.0


def ask(server: Running, path: str, body: bytes) -> tuple[float, float, bytes]:
    """Send one request over a connection of its own; give milliseconds of server and client, and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.connect()
    began = time.perf_counter()
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told = answer.read()
    taken = (time.perf_counter() - began) * 1000
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {told[:300]!r}")
    return float(answer.headers["Server-Timing"].rpartition("=")[2]), taken, told


def by_turns(asked: dict[str, tuple[Running, str]], body: bytes, rounds: int) -> dict[str, Timed]:
    """Send the body to each in turns, after three rounds that do not count."""
    found = {name: Timed() for name in asked}
    for turn in range(rounds + 3):
        for name, (server, path) in asked.items():
            worker = server.worker()
            before = sum(worker.cpu_times()[:2])
            inside, outside, _ = ask(server, path, body)
            if turn >= 3:
                found[name].server.append(inside)
                found[name].client.append(outside)
                found[name].cpu += sum(worker.cpu_times()[:2]) - before
    return found


def show_turns(console: Console, found: dict[str, Timed], title: str) -> None:
    table = Table(title=title)
    for column in ("", "server p50", "server p99", "client p50", "client p99", "CPU ms", "times bare", "times typed"):
        table.add_column(column, justify="right")
    cpu = {name: 1000 * timed.cpu / len(timed.server) for name, timed in found.items()}
    for name, timed in found.items():
        figures = [at for times in (timed.server, timed.client) for at in np.quantile(times, (0.5, 0.99))]
        middle = statistics.median(timed.server)
        ratios = [middle / statistics.median(found[peer].server) for peer in ("bare echo", "typed echo")]
        table.add_row(name, *(f"{figure:.1f}" for figure in [*figures, cpu[name]]), *(f"{r:.1f}" for r in ratios))
    console.print(table)


def watch_memory(server: Running, samples: list[tuple[float, ...]]) -> Callable[[], None]:
    """Note the time and the memory of master, web worker, and whatever else there is, in megabytes."""

    def look() -> None:
        worker, held = server.worker(), {"master": 0.0, "worker": 0.0, "others": 0.0}
        for process in server.everything():
            role = {server.process.pid: "master", worker.pid: "worker"}.get(process.pid, "others")
            with contextlib.suppress(psutil.NoSuchProcess):
                held[role] += process.memory_full_info().pss / 1e6
        samples.append((time.monotonic(), *held.values()))

    return look


def show_load(console: Console, kinds: Kinds, samples: list[tuple[float, ...]], title: str) -> None:
    table = Table(title=title)
    for column in ("", "answered", "p50 ms", "p99 ms", "held back (429)", "errors"):
        table.add_column(column, justify="right")
    for kind, tally in kinds.items():
        p50, p99 = tally.quantile(0.5), tally.quantile(0.99)
        counts = f"{tally.held_back:,}", f"{len(tally.errors):,}"
        table.add_row(kind, f"{len(tally.seconds):,}", f"{p50:.0f}", f"{p99:.0f}", *counts)
    console.print(table)
    for error in sorted({error for tally in kinds.values() for error in tally.errors})[:5]:
        console.print(f"  {error}")
    table = Table(title="memory (PSS), MB; the change is that after the first third")
    for column in ("", "before", "at most", "at the end", "a minute"):
        table.add_column(column, justify="right")
    at, *held = np.array(samples).T
    late = at >= at[0] + (at[-1] - at[0]) / 3
    for role, pss in (*zip(("master", "web worker", "leading process"), held, strict=True), ("all", sum(held))):
        slope = np.polyfit(at[late] / 60, pss[late], 1)[0] if np.count_nonzero(late) > 2 else float("nan")
        table.add_row(role, *(f"{figure:.0f}" for figure in (pss[0], pss.max(), pss[-1])), f"{slope:+.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--windows", type=int, default=500)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES")
    given = parser.parse_args()
    console = Console(width=120)
    cores = sorted(os.sched_getaffinity(0))
    psutil.Process().cpu_affinity(cores[1:] or cores)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        windows = make_home(folder)
        body, few = body_of(windows, given.windows), body_of(windows, 20)
        command = ["-c", SERVE, "--home", str(folder / "home"), "serve", "--port", "{port}", "--workers", "1"]
        with running(command, cores[0], **OPEN) as served:
            served.wait("/readyz")
            loaded, ready = (sum(p.cpu_times()[:2]) for p in (psutil.Process(served.process.pid), served.worker()))
            console.print(
                f"ready: the application loads in {loaded:.1f} s of CPU, the web worker takes {ready:.1f} s more"
            )
            (folder / "answer").write_bytes(ask(served, "/v1/scores", body)[2])
            with running(["-m", "benchmarks.serving.echo", "{port}", str(folder / "answer")], cores[0]) as echo:
                echo.wait("/")
                asked = {"bare echo": (echo, "/bare"), "typed echo": (echo, "/typed"), "scores": (served, "/v1/scores")}
                title = f"{given.windows} windows, {len(body) // 1000} kB, in one POST; milliseconds"
                show_turns(console, by_turns(asked, body, given.rounds), title)
            seconds = given.soak * 60 or given.seconds
            samples: list[tuple[float, ...]] = []
            look = watch_memory(served, samples)
            look()
            kinds = press(served.port, given.connections, few, seconds, look)
            show_load(console, kinds, samples, f"{given.connections} connections, {seconds:.0f} s")


if __name__ == "__main__":
    main()
