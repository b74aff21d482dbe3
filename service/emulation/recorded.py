"""An operator's own estate, as its lake tells of it, for scenarios to be played into.

The world is built of what stood at a time: containers with their addresses, how each workload introduces itself, where
it goes. Only what scenarios add is written; the telemetry that was recorded stays as it is. A lake keeps settings as
tokens and no whole snapshots, so scenarios that create the victim again or change it in place cannot be played here.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from service.emulation.estate.campaign import labels
from service.emulation.estate.engine import Container, Engine, Lease, Place, Spec
from service.emulation.estate.layouts import LAYOUTS
from service.emulation.estate.outside import Outside
from service.emulation.estate.play import duration, play
from service.emulation.estate.registry import HOST, Registry
from service.emulation.estate.sink import Sink
from service.emulation.estate.vocabulary import Vocabulary
from service.emulation.estate.wire import Client, Site, Wire, client
from service.emulation.estate.world import Options, Service, World
from service.emulation.labels import Labels
from service.emulation.observed import Observed, most_common
from service.emulation.scenario import Scenario, Variant
from service.emulation.splits import Split, streams
from service.emulation.steps import Attach, Recreate, Update

DAY = timedelta(days=1)
MOST_SITES = 20
MACHINES = "10.254."  # addresses of machines, which no lease tells of
EDGE = 1200.0  # seconds that nothing begins or ends in, of both edges of the span together


def playable(scenario: Scenario) -> str:
    """Say why a scenario cannot be played into recorded telemetry; empty if it can."""
    if scenario.stages:
        return "chains are played in made-up estates"
    if scenario.victim.kind in {"pod", "actor"}:
        return "the Kubernetes API is played in made-up estates"
    if any(isinstance(step, Recreate | Update | Attach) for step in scenario.played("high")):
        return "it changes the victim's settings, of which a lake has no whole snapshot"
    return ""


def recorded(estate: Observed, out: Path, until: datetime, *, seed: int) -> World:
    """Build an estate as it was observed; what is played until `until` is written under `out`."""
    random = streams(Split.DEVELOPMENT, seed, 6)
    names = Vocabulary(Split.DEVELOPMENT, random[5])
    # This estate has names of its own; of those that scenarios speak of, it has the registry's.
    names.stand_ins = {HOST: estate.registry} if estate.registry else {}
    start, days = estate.at.timestamp(), max(1, -(-(until - estate.at) // DAY))
    sink = Sink(out, start, days, 0, names, key=int(random[1].integers(2**62)))
    images: dict[str, str] = {}
    networks_left = (f"10.{253 - number // 256}.{number % 256}" for number in count())
    engines = {
        host: Engine(Place(host, f"{MACHINES}{number // 250}.{number % 250 + 1}", networks_left), sink, random[0],
                     images, names)
        for number, host in enumerate(estate.containers["host"].unique().sort())
    }  # fmt: skip
    workloads = estate.containers["workload"].n_unique()
    world = World(
        Options(out, start, days, 0, workloads, 0, seed), sink, Wire(sink, random[1]), Outside(random[2], names),
        Registry(sink, random[3], images, MACHINES), random[4], engines, names, LAYOUTS[0],
    )  # fmt: skip
    world.outside.debian = world.outside.site("deb.mirror.example", 3, port=80)
    world.outside.bucket = world.outside.site("backups.s3.objects.example", 4)
    if estate.registry_addresses:
        world.outside.registries[HOST] = Site(HOST, estate.registry_addresses)
    if estate.resolver:
        world.wire.resolver = estate.resolver
    for (workload,), rows in estate.containers.group_by("workload", maintain_order=True):
        spoken = estate.spoken.filter(pl.col("workload") == workload)
        world.services.append(_service(world, str(workload), rows, spoken))
    return world


def _service(world: World, workload: str, rows: pl.DataFrame, spoken: pl.DataFrame) -> Service:
    first = rows.row(0, named=True)
    project, _, name = workload.removeprefix("docker:").rpartition("/")
    template = Spec(first["image"], labels=_labels(workload))
    service = Service(
        workload, name, project, name, rows["host"].to_list(), first["image_repository"] or first["image"],
        first["image_tag"] or "latest", _client(spoken), template, "compose" if project else "plain", len(rows),
    )  # fmt: skip
    service.sites = [(site, 0.0) for site in _sites(spoken)]
    for row in rows.iter_rows(named=True):
        container = _container(world, row, template)
        service.containers.append(container)
        if container.lease:
            service.leases.append(container.lease)
    return service


def _container(world: World, row: dict[str, Any], template: Spec) -> Container:
    engine, began = world.engines[row["host"]], row["since"].timestamp()
    engine.local[row["image"]] = engine.images.setdefault(row["image"], row["image_digest"] or "sha256:" + 64 * "0")
    lease = Lease(row["address"], began)
    name = row["container_name"] or ""
    return Container(
        row["container_id"], name, row["host"], template.but(image=row["image"], name=name),
        engine.local[row["image"]], began, "recorded", engine.network_id("recorded"), "02:42:0a:00:00:01",
        row["container_id"], 1, row["address"], began, 0, lease,
    )  # fmt: skip


def _labels(workload: str) -> dict[str, str]:
    """Return labels from which a reader makes the same workload again."""
    project, slash, name = workload.removeprefix("docker:").partition("/")
    if not slash:
        return {"com.docker.swarm.service.name": project}
    return {"com.docker.compose.project": project, "com.docker.compose.service": name}


def _client(spoken: pl.DataFrame) -> Client:
    """Return how a workload introduces itself most often; one that never speaks outside gets what is common."""
    usual = client("Go-http-client/1.1")
    said = {name: most_common(spoken[name]) for name in ("user_agent", "ja3", "ja4", "tls_version")}
    return Client(
        said["user_agent"] or usual.agent, said["ja3"] or usual.ja3, said["ja4"] or usual.ja4,
        said["tls_version"] or usual.version,
    )  # fmt: skip


def _sites(spoken: pl.DataFrame) -> Iterator[Site]:
    named = spoken.filter(pl.col("server_name").is_not_null())
    gone = (
        named.group_by("server_name", "dst_port")
        .agg(pl.col("dst_ip").unique().sort(), pl.len().alias("times"))
        .sort("times", "server_name", descending=[True, False])
        .head(MOST_SITES)
    )
    for row in gone.iter_rows(named=True):
        yield Site(row["server_name"], tuple(row["dst_ip"]), port=row["dst_port"])


def played(world: World, chosen: Sequence[tuple[Scenario, Variant]]) -> Labels:
    """Play scenarios at times drawn at random, write what they leave, and return the ground truth."""
    drawn = world.rng.uniform(0, 1, len(chosen))
    for (scenario, variant), share in zip(chosen, drawn.tolist(), strict=True):
        room = world.options.end - world.options.start - lasting(scenario, variant) - EDGE
        world.at(world.options.start + EDGE / 2 + max(room, 0.0) * share, _begin, scenario, variant)
    world.run_until(world.options.end)
    world.sink.close()
    return labels(world)


def _begin(world: World, now: float, scenario: Scenario, variant: Variant) -> None:
    try:
        world.ledger.casts.append(play(world, now, scenario, variant))
    except LookupError as error:
        world.ledger.unplayed.append(f"{scenario.id} {variant}: {error.args[0]}")


def lasting(scenario: Scenario, variant: Variant) -> float:
    """Tell for how long a scenario goes on, about."""
    return max((step.at + duration(step) for step in scenario.played(variant)), default=0.0)
