"""How an estate is laid out, by the number that its split gives: machines, networks, ports, images, hours."""

from collections.abc import Callable
from dataclasses import dataclass, field


def _numbered(number: int) -> str:
    return f"h{number}"


def _lettered(number: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return f"node-{letters}"


def _racked(number: int) -> str:
    return f"rack{(number - 1) // 16 + 1}-{(number - 1) % 16 + 1:02d}"


@dataclass(frozen=True)
class Layout:
    """One way to lay out an estate.

    Parameters
    ----------
    host
        Names a machine by its number from 1.
    crowd
        Workloads for each machine, about.
    machines
        First two octets of the machines' addresses.
    networks
        Second octet, after 10, of the first network of containers.
    nodes
        How a node of Kubernetes is called, before its number.
    port
        Where the company's own services listen.
    stock
        Image, tag and port of what is not the company's own, by role.
    infrastructure, pods
        Shares of the workloads that are agents and tools, and that run in Kubernetes.
    peak
        The busiest hour of most projects.
    """

    host: Callable[[int], str]
    crowd: float
    machines: str
    networks: int
    nodes: str
    port: int
    stock: dict[str, tuple[str, str, int]] = field(hash=False)
    infrastructure: float = 0.28
    pods: float = 0.08
    peak: int = 14


_MIRROR = "hub-mirror.corp.example"
LAYOUTS = (
    Layout(
        _numbered, 10.5, "10.0", 20, "k", 8080,
        {
            "db": (f"{_MIRROR}/library/postgres", "16.3", 5432), "cache": ("redis", "7.2.5", 6379),
            "queue": (f"{_MIRROR}/library/rabbitmq", "3.13-management", 5672),
            "search": (f"{_MIRROR}/opensearchproject/opensearch", "2.15.0", 9200),
        },
    ),
    Layout(
        _lettered, 8.5, "10.96", 100, "kube-", 8000,
        {
            "db": (f"{_MIRROR}/timescale/timescaledb", "2.15.3", 5432), "cache": ("valkey/valkey", "7.2.6", 6379),
            "queue": (f"{_MIRROR}/library/rabbitmq", "3.12-alpine", 5672),
            "search": (f"{_MIRROR}/library/elasticsearch", "8.14.1", 9200),
        }, 0.24, 0.05, 11,
    ),
    Layout(
        _racked, 12.0, "192.168", 150, "worker", 3000,
        {
            "db": ("bitnami/postgresql", "15.7.0", 5432), "cache": (f"{_MIRROR}/eqalpha/keydb", "6.3.4", 6379),
            "queue": ("bitnami/rabbitmq", "3.13.4", 5672), "search": (f"{_MIRROR}/getmeili/meilisearch", "1.8.3", 7700),
        }, 0.33, 0.1, 17,
    ),
)  # fmt: skip
