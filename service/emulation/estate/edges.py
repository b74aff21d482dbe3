"""Who talks to whom, how often and how much."""

from dataclasses import dataclass

import numpy as np

from service.emulation.estate.wire import Shape, Site
from service.emulation.estate.world import Service, World


@dataclass(frozen=True)
class Edge:
    """A steady relation: `rate` connections an hour at the busiest hour, from a service or visitors, `since` when."""

    source: Service | None
    target: Service | Site
    port: int
    protocol: str
    rate: float
    shape: Shape
    uris: tuple[str, ...] = ("/",)
    since: float = 0.0


def edges_of(world: World, service: Service, near: dict[str, Service] | None = None) -> list[Edge]:
    """List what this service begins, and for a web service what its visitors begin."""
    rng, size, role = world.rng, service.size, service.role
    peers = (_near(world, service) if near is None else near) if service.project else {}
    edges: list[Edge] = []

    def to(role: str, rate: float, shape: Shape, protocol: str, uris: tuple[str, ...] = ("/",)) -> None:
        if role in peers and peers[role] is not service:
            edges.append(
                Edge(
                    service,
                    peers[role],
                    peers[role].port,
                    protocol,
                    rate * size * float(rng.lognormal(0, 0.3)),
                    shape,
                    uris,
                )
            )

    if role in {"web", "admin", "edge-proxy"}:
        pages = (
            "/",
            "/login",
            "/static/app.js",
            "/static/app.css",
            "/products",
            "/api/me",
            "/search?q=a",
            "/cart",
            "/favicon.ico",
        )
        rate = {"web": 140.0, "admin": 8.0, "edge-proxy": 30.0}[role]
        edges.append(Edge(None, service, service.port, "http", rate * size, Shape(700, 9_000, 0.08, 1.0, 0.02), pages))
        if role == "web":
            edges.append(Edge(None, service, service.port, "websocket", 1.5 * size, Shape(9_000, 30_000, 1_500.0, 1.0)))
    if role in {"web", "admin"}:
        to(
            "api",
            90 if role == "web" else 10,
            Shape(800, 4_000, 0.06, 0.9, 0.02),
            "http",
            ("/v1/items", "/v1/users/me", "/v1/orders", "/v1/prices"),
        )
        to("cache", 30, Shape(300, 1_200, 0.01), "redis")
    if role in {"api", "worker", "search", "admin"}:
        to("db", 55 if role == "api" else 18, Shape(2_400, 14_000, 3.0, 1.1, 0.02), "postgresql")
        to("queue", 18, Shape(1_500, 900, 20.0, 0.9), "amqp")
    if role in {"api", "worker"}:
        to("cache", 60, Shape(400, 1_500, 0.02), "redis")
        to("search", 15, Shape(900, 7_000, 0.1), "http", ("/items/_search", "/_bulk"))
    if role == "prometheus":
        to("alertmanager", 6, Shape(1_200, 300, 0.02), "http", ("/api/v2/alerts",))
    if role == "grafana":
        to("prometheus", 20, Shape(900, 20_000, 0.1), "http", ("/api/v1/query_range",))
    edges += [site_edge(service, site, rate * size, rng) for site, rate in service.sites if rate]
    return edges


def _near(world: World, service: Service) -> dict[str, Service]:
    return {other.role: other for other in world.services if other.project == service.project}


def site_edge(service: Service, site: Site, rate: float, rng: np.random.Generator) -> Edge:
    upload = rng.random() < 0.3
    sent, received = float(rng.lognormal(7.3, 0.7)), float(rng.lognormal(8.6, 0.8))
    return Edge(service, site, site.port, "tls", rate, Shape(sent * (10 if upload else 1), received, 0.3, 0.7, 0.01))
