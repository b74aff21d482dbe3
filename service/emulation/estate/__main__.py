# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Command line of the estate simulator."""

import argparse
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from service.emulation.estate import campaign, changes, jobs, kube_life, topology, traffic
from service.emulation.estate.engine import Engine, Place
from service.emulation.estate.ids import parse_iso
from service.emulation.estate.layouts import LAYOUTS, Layout
from service.emulation.estate.outside import Outside
from service.emulation.estate.registry import Registry
from service.emulation.estate.sink import DAY, Sink
from service.emulation.estate.vocabulary import Vocabulary
from service.emulation.estate.wire import Wire
from service.emulation.estate.world import Options, World
from service.emulation.scenario import VARIANTS, library
from service.emulation.splits import DRAWS, Split, streams

_SLICE = 500_000
# Acts tell of what led to them, so that a slice is not over when its time is.
_LOOKING_BACK = 600.0


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
    parser.add_argument("--split", type=Split, choices=list(Split), default=Split.DEVELOPMENT)
    parser.add_argument("--scenarios", nargs="+", default=[], metavar="ID", help="which to play (default: all)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["high", "dampened"])
    parser.add_argument("--every-variant", action="store_true", help="play each scenario in all variants, not in one")
    given = parser.parse_args(argv)
    if unknown := set(given.scenarios) - set(library()):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return Options(
        given.out, parse_iso(given.start), given.days, given.learn_days, given.workloads, given.flows, given.seed,
        given.split, tuple(given.variants), tuple(given.scenarios), given.every_variant,
    )  # fmt: skip


def make(options: Options) -> World:
    """Build the estate and put everything that will happen to it into the queue."""
    random = streams(options.split, options.seed, 6)
    names, layout = Vocabulary(options.split, random[5]), LAYOUTS[DRAWS[options.split].layout]
    key = int(random[1].integers(2**62))
    sink = Sink(options.out, options.start, options.days, options.learn_days, names, key=key)
    images: dict[str, str] = {}
    places = _places(layout, max(2, round(options.workloads / layout.crowd)))
    world = World(
        options,
        sink,
        Wire(sink, random[1]),
        Outside(random[2], names),
        Registry(sink, random[3], images, f"{layout.machines}."),
        random[4],
        {place.host: Engine(place, sink, random[0], images, names) for place in places},
        names,
        layout,
    )
    topology.populate(world)
    if pods := topology.pods(world):
        world.cluster = kube_life.build(world, pods)
    jobs.schedule(world)
    changes.schedule(world)
    campaign.schedule(world)
    return world


def _places(layout: Layout, count: int) -> Iterator[Place]:
    """Name and number the machines; every network of containers is another /24."""
    networks = (f"10.{layout.networks + number // 256}.{number % 256}" for number in itertools.count())
    for number in range(count):
        address = f"{layout.machines}.{4 + number // 200}.{10 + number % 200}"
        yield Place(layout.host(number + 1), address, networks)


def run(options: Options, prepare: Callable[[World], None] = lambda _: None) -> World:
    world = make(options)
    prepare(world)
    slices = options.days * max(1, math.ceil(options.flows / options.days / _SLICE))
    span = options.days * DAY / slices
    for number in range(slices):
        low = options.start + number * span
        world.run_until(low + span)
        traffic.steady(world, low, low + span)
        world.sink.flush(low + span - _LOOKING_BACK)
    world.sink.close()
    campaign.labels(world).write(options.out)
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
        f"{len(world.ledger.casts)} attacks, {len(world.ledger.lookalikes):,} labelled lookalikes; {time.perf_counter() - began:.1f} s"
    )
    for reason in world.ledger.unplayed:
        print(f"not played: {reason}")


if __name__ == "__main__":
    main()
