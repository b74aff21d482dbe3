"""Relations that last and look odd: a database's standby in another data centre, and a node of a block chain."""

from service.emulation.estate.edges import Edge
from service.emulation.estate.sink import DAY
from service.emulation.estate.topology import compose
from service.emulation.estate.wire import Shape
from service.emulation.estate.world import World

_RPC, _GOSSIP = 3333, 30303


def add(world: World) -> None:
    """Make sure that one database has a standby elsewhere, and that developers have a node of a test chain."""
    _standby(world)
    _chain_node(world)


def _standby(world: World) -> None:
    databases = [s for s in world.role("db") if s.kind == "compose"]
    if not databases:
        return
    known = [s for s in databases if any(site.name.endswith(".standby.example") for site, _ in s.sites)]
    database = known[0] if known else world.pick(databases)
    site = world.outside.site(f"replica-{database.project}.standby.example", 1, port=5432)
    database.sites.append((site, 0.0))
    world.edges.append(Edge(database, site, site.port, "tls", 1.5, Shape(4_000_000, 30_000, 1_800, 0.5)))


def _chain_node(world: World) -> None:
    callers = [s for s in world.role("worker", "admin") if s.kind == "compose" and s.project != "monitoring"]
    if not callers:
        return
    caller = world.pick(callers)
    node = compose(world, caller.project, "chain-node", caller.hosts[:1], 1)
    node.port, node.sites, node.template = _RPC, [], node.template.but(ports=(_RPC, _GOSSIP))
    world.services.append(node)
    world.launch(node, 0, world.options.start + 20, adopt=12 * DAY)
    world.edges.append(Edge(caller, node, _RPC, "http", 25, Shape(420, 900, 0.02), ("/", "/", "/health")))
    for number in range(5):
        peer = world.outside.site(f"boot{number}.testchain.example", 1, port=_GOSSIP)
        world.edges.append(Edge(node, peer, _GOSSIP, "peer", 2.0, Shape(60_000, 90_000, 900, 0.8)))
