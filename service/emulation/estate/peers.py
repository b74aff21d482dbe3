"""Relations that last and look odd: a database's standby in another data centre, and a node of a block chain."""

from collections.abc import Callable

import numpy as np

from service.emulation.estate.sink import DAY
from service.emulation.estate.topology import compose
from service.emulation.estate.wire import Shape, Site
from service.emulation.estate.world import HOUR, Service, World

_RPC, _GOSSIP = 3333, 30303
_ENDS = 0.98  # a connection is written on the day it ends: none goes on past midnight


def schedule(world: World) -> None:
    """Give one database a standby elsewhere, and developers a node of a test chain, for all days."""
    _standby(world)
    _chain_node(world)


def _standby(world: World) -> None:
    databases = [s for s in world.role("db") if s.kind == "compose"]
    if not databases:
        return
    database = world.pick(databases)
    site = world.outside.site(f"replica-{database.project}.standby.example", 1, port=5432)
    database.sites.append((site, 0.0))
    _hourly(world, 1, _replicate, database, site)


def _chain_node(world: World) -> None:
    callers = [s for s in world.role("worker", "admin") if s.kind == "compose" and s.project != "monitoring"]
    if not callers:
        return
    caller = world.pick(callers)
    node = compose(world, caller.project, "chain-node", caller.hosts[:1], 1)
    node.port, node.sites, node.template = _RPC, [], node.template.but(ports=(_RPC, _GOSSIP))
    world.services.append(node)
    world.launch(node, 0, world.options.start + 20, adopt=12 * DAY)
    others = [world.outside.site(f"boot{number}.testchain.example", 1, port=_GOSSIP) for number in range(5)]
    _hourly(world, 1, _gossip, node, others)
    density = min(1.0, world.options.flows / world.options.days / 40_000)
    _hourly(world, max(1, round(12 * density)), _call, caller, node)


def _hourly(world: World, count: int, act: Callable[..., None], *who: object) -> None:
    options = world.options
    for hour in range(options.days * 24):
        for moment in world.rng.uniform(0, HOUR, count).tolist():
            world.at(options.start + hour * HOUR + moment, act, *who)


def _replicate(world: World, now: float, database: Service, site: Site) -> None:
    """Send an hour's changes to the standby over one long connection."""
    for container in database.containers:
        sent, received, seconds = Shape(4_000_000, 30_000, 1_800, 0.5).draw(world.rng, 1)
        left = _left(world, now)
        sizes = (sent, received, np.minimum(seconds, left))
        world.wire.to_site(np.array([now]), container.address, site, database.client, sizes)


def _gossip(world: World, now: float, node: Service, others: list[Site]) -> None:
    """Exchange blocks with one of the others, in a protocol that no analyser knows."""
    for container in node.containers:
        other = world.pick(others)
        sent, received, seconds = Shape(60_000, 90_000, 900, 0.8).draw(world.rng, 1)
        ts, sizes = np.array([now]), (sent, received, np.minimum(seconds, _left(world, now)))
        world.wire.look_up(ts - 0.03, container.address, other.name, other.at(ts))
        world.wire.connections(ts, container.address, other.at(ts), _GOSSIP, sizes=sizes)


def _call(world: World, now: float, caller: Service, node: Service) -> None:
    """Ask the node something, by JSON-RPC."""
    if not caller.containers or not node.containers:
        return
    source, target = world.pick(caller.containers).address, node.containers[0].address
    world.wire.http(
        np.array([now]), source, target, _RPC, sizes=Shape(420, 900, 0.02).draw(world.rng, 1), method="POST",
        agent=caller.client.agent, host=f"{node.name}:{_RPC}", uri="/",
    )  # fmt: skip


def _left(world: World, now: float) -> float:
    return (DAY - (now - world.options.start) % DAY) * _ENDS
