"""A project whose services speak through sidecars: TLS to one port, under names that no resolver knows."""

from dataclasses import replace

import numpy as np

from service.emulation.estate.edges import Edge
from service.emulation.estate.ids import Objects
from service.emulation.estate.wire import client
from service.emulation.estate.world import Service, World

PORT = 15001
_SIDECAR = client("envoy/1.30.2")


def join(world: World) -> None:
    """Let what the services of one project say to each other go through sidecars."""
    homes = sorted({s.project for s in world.role("web") if s.kind == "compose" and world.find(s.project, "api")})
    project = homes[-1] if homes else ""
    world.edges = [replace(edge, protocol="mesh") if _within(edge, project) else edge for edge in world.edges]


def _within(edge: Edge, project: str) -> bool:
    if not project or edge.source is None or not isinstance(edge.target, Service):
        return False
    return edge.source.project == edge.target.project == project


def speak(world: World, edge: Edge, ends: tuple[np.ndarray, Objects, Objects], sizes: tuple[np.ndarray, ...]) -> None:
    """Write what one service says to another through their sidecars."""
    ts, src, dst = ends
    target = edge.target
    name = f"outbound_.{edge.port}_._.{target.name}.{edge.source.project if edge.source else ''}.svc.cluster.local"
    world.wire.tls(ts, src, dst, PORT, sizes=sizes, who=_SIDECAR, name=name, alpn="istio")
