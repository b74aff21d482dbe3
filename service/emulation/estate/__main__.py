# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Command line of the estate simulator."""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from service.emulation.estate import campaign, changes, jobs, kube_life, topology, traffic
from service.emulation.estate.engine import Engine
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.outside import Outside
from service.emulation.estate.registry import Registry
from service.emulation.estate.sink import DAY, Sink
from service.emulation.estate.wire import Wire
from service.emulation.estate.world import Options, World


def arguments(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m service.emulation.estate", description="Write days of telemetry of a made-up container estate."
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--days", type=int, default=9)
    parser.add_argument("--learn-days", type=int, default=7)
    parser.add_argument("--workloads", type=int, default=84)
    parser.add_argument("--flows", type=int, default=1_000_000, help="rows of Zeek logs, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", default="2026-09-07T00:00:00Z")
    given = parser.parse_args(argv)
    return Options(
        given.out, parse_iso(given.start), given.days, given.learn_days, given.workloads, given.flows, given.seed
    )


def make(options: Options) -> World:
    """Build the estate and put everything that will happen to it into the queue."""
    streams = [np.random.default_rng([options.seed, n]) for n in range(5)]
    sink = Sink(options.out, options.start, options.days, options.learn_days)
    images: dict[str, str] = {}
    hosts = max(2, min(8, options.workloads // 8))
    engines = {f"h{n}": Engine(f"h{n}", n, sink, streams[0], images) for n in range(1, hosts + 1)}
    world = World(
        options,
        sink,
        Wire(sink, streams[1]),
        Outside(streams[2]),
        Registry(sink, streams[3], images),
        streams[4],
        engines,
    )
    topology.populate(world)
    pods = round(options.workloads * 0.08)
    if options.workloads >= 8:
        world.cluster = kube_life.build(world, max(2, pods))
    jobs.schedule(world)
    changes.schedule(world)
    campaign.schedule(world)
    return world


def run(options: Options) -> World:
    world = make(options)
    for day in range(options.days):
        low = options.start + day * DAY
        world.run_until(low + DAY)
        traffic.steady(world, low)
        world.sink.flush(day)
    ledger = world.ledger
    for name, items in (
        ("truth", ledger.attacks),
        ("benign", [b for b in ledger.benign if parse_iso(b["start"]) < options.end]),
    ):
        (options.out / f"{name}.json").write_text(
            json.dumps(sorted(items, key=lambda item: item["start"]), indent=1), encoding="utf-8"
        )
    return world


def main() -> None:
    began, options = time.perf_counter(), arguments(sys.argv[1:])
    world = run(options)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    rows = ", ".join(f"{log} {count:,}" for log, count in world.sink.rows.items())
    print(
        f"{sum(world.sink.rows.values()):,} Zeek rows ({rows}); {world.sink.lines_written:,} other events; {size / 1e6:.0f} MB"
    )
    print(
        f"{len(world.ledger.attacks)} attacks, {len(world.ledger.benign):,} labelled lookalikes; {time.perf_counter() - began:.1f} s"
    )


if __name__ == "__main__":
    main()
