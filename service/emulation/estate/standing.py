"""Labels what resembles an attack all the time: probes, agents, heartbeats, long connections, robots."""

from collections.abc import Iterator

from service.emulation.estate.edges import Edge
from service.emulation.estate.wire import Site
from service.emulation.estate.world import Service, World

_BY_ROLE = {
    "prometheus": "scrape", "log-shipper": "log_shipper", "crawler": "crawler", "node-exporter": "host_agent",
    "cadvisor": "host_agent", "portainer": "socket_reader", "trivy": "socket_reader", "chain-node": "chain_node",
}  # fmt: skip
_BY_PROTOCOL = {"websocket": "websocket", "mesh": "mesh"}
_ROBOTS = {
    "argocd": "gitops", "cert-manager": "secrets_listed", "external-secrets": "secrets_listed", "ksm": "secrets_listed",
}  # fmt: skip


def label(world: World) -> None:
    """Label everything that goes on from the first day to the last, once for each side of the split."""
    options = world.options
    for act, workload in dict.fromkeys(_standing(world)):
        for low, high in ((options.start, options.watch), (options.watch, options.end)):
            world.ledger.lookalike(act, workload, low, high)


def _standing(world: World) -> Iterator[tuple[str, str]]:
    for service in world.services:
        for act in _acts(service):
            yield act, service.workload
    for edge in world.edges:
        if edge.protocol in _BY_PROTOCOL:
            yield from ((_BY_PROTOCOL[edge.protocol], service.workload) for service in _ends(edge))
    if world.cluster is not None:
        for key, act in _ROBOTS.items():
            yield act, f"k8s-actor:{world.cluster.robots[key][0].name}"


def _acts(service: Service) -> Iterator[str]:
    if service.role in _BY_ROLE:
        yield _BY_ROLE[service.role]
    if service.heartbeat:
        yield "heartbeat"
    if service.health_every:
        yield "health_check"
    if service.name == "mailer":
        yield "dnsbl"
    if any(site.name.endswith(".standby.example") for site, _ in service.sites):
        yield "replication"


def _ends(edge: Edge) -> Iterator[Service]:
    if edge.source is not None:
        yield edge.source
    if not isinstance(edge.target, Site):
        yield edge.target
