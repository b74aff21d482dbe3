"""Record the bundled sample: `python -m data.capture --out DIR --minutes 30 --stretch 80` (root, Debian packages)."""

import argparse
import gzip
import heapq
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.capture import images
from data.capture.emulations import Emulations
from data.capture.engine import Engine, missing_requirements
from data.capture.estate import HOST, REGISTRIES, UNKNOWN
from data.capture.lab import Lab
from data.capture.life import Life, Notes
from data.capture.readme import describe
from data.capture.record import Recorder
from data.capture.registries import Registry, Sink
from data.capture.stretch import Clock
from data.capture.zeek import Journal

ORIGIN = int(datetime(2026, 11, 2, tzinfo=UTC).timestamp())
PREPARE_SECONDS = 45.0


def main() -> None:
    """Run the range for the minutes asked for and write the sample."""
    parser = argparse.ArgumentParser(prog="python -m data.capture", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the sample")
    parser.add_argument("--minutes", type=float, default=30.0, help="real minutes of life (default 30)")
    parser.add_argument("--stretch", type=int, default=80, help="stretched seconds per real second (default 80)")
    parser.add_argument("--split", type=float, default=0.70, help="share of the life before the first emulation")
    parser.add_argument("--keep", type=Path, help="keep the raw records and packets in this folder")
    asked = parser.parse_args()
    missing = missing_requirements() + [
        f"no {name}" for name in ("tshark", "tcpdump", "openssl", "nsenter") if not shutil.which(name)
    ]
    if missing:
        sys.exit("the range cannot start here: " + ", ".join(missing))
    with tempfile.TemporaryDirectory(prefix="range-work-") as work:
        raw = asked.keep or Path(work) / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        clock = Clock(round(time.time() + PREPARE_SECONDS, 3), asked.stretch, ORIGIN)
        truth, benign = run(Path(work), raw, clock, asked.minutes * 60 * asked.stretch, asked.split)
        write(raw, asked.out, clock)
        truth.write(asked.out / "truth.json", "T")
        benign.write(asked.out / "benign.json", "B")
        split = clock.stamp(clock.start + asked.minutes * 60 * asked.split)
        (asked.out / "README.md").write_text(describe(asked.out, asked.minutes, asked.stretch, split))


def run(work: Path, raw: Path, clock: Clock, total: float, split: float) -> tuple[Notes, Notes]:
    """Start the range, live `total` stretched seconds in it and take it down again."""
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(raw / "registry.ndjson"))
        for name, port in REGISTRIES.items():
            stack.enter_context(Registry(work / name.split(":")[0], port, sink.url))
        hosts = {name.split(":")[0]: "127.0.0.1" for name in REGISTRIES}
        engine = stack.enter_context(Engine(work / "engine", hosts))
        lab = Lab(engine, clock, work)
        lab.prepare()
        reference = f"{UNKNOWN}/ngnix/nginx-alpine:latest"
        engine.docker("import", "-", reference, stdin=images.busybox_tar("nginx-alpine"))
        engine.docker("push", reference)
        engine.docker("rmi", reference)
        print(f"prepared {time.time() - clock.start:+.0f} s before the start", flush=True)
        time.sleep(max(0.0, clock.start - time.time()))
        truth, benign = Notes(lab), Notes(lab)
        acts = Life(lab, benign).schedule(total) + Emulations(lab, truth, benign).schedule(total, split)
        (raw / "paths.json").write_text(json.dumps(_paths(work, engine)))
        with Recorder(engine, raw):
            lab.start_all()
            print(f"estate up at {clock.stamp()}", flush=True)
            live(acts, clock, total)
    return truth, benign


def _paths(work: Path, engine: Engine) -> dict[str, str]:
    """Return what stands in the records for this machine alone, and what an ordinary host would have there."""
    return {
        str(work / "engine" / "root"): "/var/lib/docker",
        str(engine.socket): "/var/run/docker.sock",
        str(engine.short / "exec"): "/var/run/docker",
        f'"addr":"{socket.gethostname()}:': f'"addr":"{HOST}:',
    }


def live(acts: list[tuple[float, Any]], clock: Clock, total: float) -> None:
    """Start each act at its time in a thread of its own, and wait for the end of the life and of every act."""
    failed: list[BaseException] = []
    queue = [(at, index, act) for index, (at, act) in enumerate(acts)]
    heapq.heapify(queue)
    running: list[threading.Thread] = []
    while queue:
        at, _, act = heapq.heappop(queue)
        time.sleep(max(0.0, (at - clock.now()) / clock.factor))
        thread = threading.Thread(target=_guarded, args=(act, failed), daemon=True)
        thread.start()
        running.append(thread)
    time.sleep(max(0.0, (total - clock.now()) / clock.factor))
    for thread in running:
        thread.join(60)
    for error in failed:
        print(f"an act failed: {error!r}", file=sys.stderr)


def _guarded(act: Callable[[], None], failed: list[BaseException]) -> None:
    try:
        act()
    except (RuntimeError, LookupError, OSError, subprocess.SubprocessError) as error:
        # One act that failed is told at the end; the life goes on and its note is simply absent.
        failed.append(error)


def write(raw: Path, out: Path, clock: Clock) -> None:
    """Stretch the raw records into the sample."""
    out.mkdir(parents=True, exist_ok=True)
    events = [clock.event(row) for row in lines(raw / "events.ndjson")]
    dump(out / "events.ndjson.gz", sorted(events, key=lambda row: row["timeNano"]))
    inspects = [
        {
            "observed_at": clock.stamp(row["observed_at"] / 1e9),
            "host": row["host"],
            "inspect": clock.document(row["inspect"]),
        }
        for row in lines(raw / "inspect.ndjson")
    ]
    dump(out / "inspect.ndjson.gz", inspects)
    envelopes = [clock.document(row) for row in lines(raw / "registry.ndjson")]
    dump(out / "registry.ndjson.gz", envelopes)
    journal = Journal()
    for pcap in sorted(raw.glob("*.pcap")):
        journal.read(pcap)
    logs = {
        "conn": [flow.conn() for flow in journal.flows],
        "dns": journal.dns,
        "ssl": list(journal.ssl.values()),
        "http": journal.http,
    }
    for name, rows in logs.items():
        dump(out / f"{name}.log.gz", sorted((clock.record(row) for row in rows), key=lambda row: row["ts"]))


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of an NDJSON file."""
    text = path.read_text()
    for here, ordinary in json.loads(path.with_name("paths.json").read_text()).items():
        text = text.replace(here, ordinary)
    return [json.loads(line) for line in text.splitlines()]


def dump(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write objects as gzipped NDJSON, the same bytes for the same rows."""
    text = "".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{path.name}: {len(rows)} rows, {path.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
