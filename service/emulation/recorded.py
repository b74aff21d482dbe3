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

import numpy as np
import polars as pl

from features.addresses import INTERNAL, Network
from features.extraction import SHARED, read_leases
from features.lake import Lake
from features.leases import attribute
from service.emulation.estate.campaign import labels
from service.emulation.estate.engine import Container, Engine, Lease, Place, Spec
from service.emulation.estate.layouts import LAYOUTS
from service.emulation.estate.outside import Outside
from service.emulation.estate.play import duration, play
from service.emulation.estate.registry import Registry
from service.emulation.estate.sink import Sink
from service.emulation.estate.vocabulary import Vocabulary
from service.emulation.estate.wire import RESOLVER, Client, Site, Wire, client
from service.emulation.estate.world import Options, Service, World
from service.emulation.labels import Labels
from service.emulation.scenario import Scenario, Variant
from service.emulation.splits import Split, streams
from service.emulation.steps import Attach, Recreate, Update

DAY = timedelta(days=1)
STANDING = (
    "ts", "event_id", "kind", "action", "host", "container_id", "container_name", "workload", "image",
    "image_repository", "image_tag", "image_digest", "addresses",
)  # fmt: skip
SPOKEN = (*SHARED, "dst_port", "uid", "server_name", "tls_version", "ja3", "ja4", "user_agent")
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


def recorded(
    lake: Lake, out: Path, since: datetime, until: datetime, *, seed: int, networks: tuple[Network, ...] = INTERNAL
) -> World:
    """Build the estate as it stood at `since`; what is played until `until` is written under `out`.

    Raises
    ------
    LookupError
        If no container of a Docker Engine was running then.
    """
    random = streams(Split.DEVELOPMENT, seed, 6)
    names = Vocabulary(Split.DEVELOPMENT, random[5])
    names.stand_ins.clear()  # this estate has names of its own
    days = max(1, -(-(until - since) // DAY))
    options = Options(out, since.timestamp(), days, 0, 0, 0, seed)
    sink = Sink(out, options.start, days, 0, names, key=int(random[1].integers(2**62)))
    images: dict[str, str] = {}
    standing = _standing(lake, since)
    if standing.is_empty():
        raise LookupError("no container of a Docker Engine was running at the beginning of the span")
    networks_left = (f"10.{253 - number // 256}.{number % 256}" for number in count())
    engines = {
        host: Engine(Place(host, f"{MACHINES}0.{number}", networks_left), sink, random[0], images, names)
        for number, host in enumerate(standing["host"].unique().sort(), 10)
    }
    world = World(
        options, sink, Wire(sink, random[1]), Outside(random[2], names), Registry(sink, random[3], images, MACHINES),
        random[4], engines, names, LAYOUTS[0],
    )  # fmt: skip
    world.outside.debian = world.outside.site("deb.mirror.example", 3, port=80)
    world.outside.bucket = world.outside.site("backups.s3.objects.example", 4)
    world.wire.resolver = _resolver(lake, since)
    spoken = _spoken(lake, since, networks)
    for (workload,), rows in standing.group_by("workload", maintain_order=True):
        world.services.append(_service(world, str(workload), rows, spoken.filter(pl.col("workload") == workload)))
    world.options = Options(out, options.start, days, 0, len(world.services), 0, seed)
    return world


def _standing(lake: Lake, at: datetime) -> pl.DataFrame:
    """List the containers that ran at a time, each with its last known address."""
    told = lake.read(until=at, kinds=("config", "lifecycle"), columns=STANDING)
    told = told.filter(pl.col("container_id").is_not_null() & pl.col("workload").str.starts_with("docker:"))
    return (
        told.group_by("container_id", maintain_order=True)
        .agg(
            pl.col("ts").min().alias("since"),
            pl.col("action").last(),
            pl.col("host").drop_nulls().last(),
            pl.col("container_name", "image", "image_repository", "image_tag", "image_digest").drop_nulls().last(),
            pl.col("workload").last(),
            pl.col("addresses").filter(pl.col("addresses").list.len() > 0).last().list.first().alias("address"),
            pl.col("action").is_in(["start", "inspect"]).any().alias("ran"),
        )
        .filter(pl.col("ran") & ~pl.col("action").is_in(["die", "destroy", "stop", "kill"]))
        .drop_nulls(["host", "address", "image"])
        .sort("workload", "container_id")
    )


def _resolver(lake: Lake, at: datetime) -> str:
    """Return the address that most names were asked of in the day before."""
    asked = lake.read(since=at - DAY, until=at, kinds=("dns",), columns=("dst_ip",))
    return _most_common(asked["dst_ip"]) or RESOLVER


def _spoken(lake: Lake, at: datetime, networks: tuple[Network, ...]) -> pl.DataFrame:
    """Read how workloads introduced themselves outside in the day before."""
    told = lake.read(since=at - DAY, until=at, kinds=("tls", "http"), columns=SPOKEN)
    spoken = attribute(told, read_leases(lake, at), networks)
    return spoken.filter(pl.col("external") & pl.col("workload").is_not_null())


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
    said = {name: _most_common(spoken[name]) for name in ("user_agent", "ja3", "ja4", "tls_version")}
    return Client(
        said["user_agent"] or usual.agent, said["ja3"] or usual.ja3, said["ja4"] or usual.ja4,
        said["tls_version"] or usual.version,
    )  # fmt: skip


def _most_common(said: pl.Series) -> str | None:
    counted = said.drop_nulls().value_counts().sort("count", said.name, descending=[True, False])
    return str(counted[said.name][0]) if len(counted) else None


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
    """Play scenarios into the recorded estate, write what they leave, and return the ground truth."""
    drawn = np.sort(world.rng.uniform(0, 1, len(chosen)))
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
