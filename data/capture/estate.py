"""The estate, declared: networks, registries, services of three projects and their habits."""

from dataclasses import dataclass, field
from typing import Any

HOST = "quay-1"
OWN, MIRROR, UNKNOWN = "registry.corp.lab:5010", "hub-mirror.corp.lab:5011", "images.hubb.example:5055"
REGISTRIES = {OWN: 5010, MIRROR: 5011, UNKNOWN: 5055}
# Small subnets, so that addresses of removed containers are soon given to others. Gateway and resolver are at the end.
NETWORKS = {
    "shop_app": ("172.28.10.0/27", "rg-app", "172.28.10.30", "172.28.10.29"),
    "shop_data": ("172.28.20.0/28", "rg-data", "172.28.20.14", "172.28.20.13"),
    "ci_build": ("172.28.30.0/28", "rg-ci", "172.28.30.14", "172.28.30.13"),
}
NAME_SERVER = "198.51.100.53"
EDGE = "172.28.10.28"
BROWSERS = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
GO_CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"


def http(urls: list[str], every: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (a loop's free form)
    """Return a loop that asks one of `urls` every so many stretched seconds."""
    return {"kind": "http", "urls": urls, "every": every, **more}


def line(to: str, every: float = 0.0, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (a loop's free form)
    """Return a loop that asks a database or cache."""
    return {"kind": "line", "to": to, "every": every, **more}


@dataclass(frozen=True)
class Service:
    """One long-running service of the estate.

    Its image is `shop/<name>` and so on in the estate's own registry unless `registry` says otherwise.
    """

    project: str
    name: str
    networks: tuple[str, ...]
    serve: tuple[dict[str, Any], ...] = ()
    loops: tuple[dict[str, Any], ...] = ()
    replicas: int = 1
    health: str | None = None
    registry: str = OWN
    version: str = "1.4.0"
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> str:
        """Return the image's name without its tag."""
        return f"{self.registry}/{self.project}/{self.name}"

    @property
    def workload(self) -> str:
        """Return the workload that its containers belong to."""
        return f"docker:{self.project}/{self.name}"

    def container(self, number: int = 1) -> str:
        """Return the name of one of its containers."""
        return f"{self.project}-{self.name}-{number}"


PAGES = [
    f"/{path}" for path in ("", "cart", "login", "search?q=rope", "search?q=lamp", "item/17", "item/230", "item/51")
]
CALLS = [f"http://api:8080/v1/{path}" for path in ("items", "prices", "stock/17", "orders", "session")]
METRICS = {"port": 9100, "kind": "http", "server": "metrics/1", "size": 4200}
TARGETS = ("edge", "web", "api", "worker", "notify", "db", "cache", "node-exporter")
FRONT = {"port": 80, "kind": "http", "server": "edge/1.4", "missing": 0.02}
WEB = {"port": 8080, "kind": "http", "server": "shop-web"}
API = {"port": 8080, "kind": "http", "server": "shop-api"}

SERVICES = (
    Service(
        "shop",
        "db",
        ("shop_data",),
        ({"port": 5432, "kind": "line"}, METRICS),
        version="15.4",
        health="nc -z 127.0.0.1 5432",
        options=("-v", "shop_db:/var/lib/data", "--memory", "256m"),
    ),
    Service("shop", "cache", ("shop_data",), ({"port": 6379, "kind": "line"}, METRICS), version="7.2"),
    Service(
        "shop",
        "api",
        ("shop_app", "shop_data"),
        ({**API, "then": [line("cache:6379", p=0.8, want=(40, 900)), line("db:5432", p=0.5)]}, METRICS),
        (
            http(
                ["https://api.payhub.example/v2/charges"],
                420,
                mode="poisson",
                rhythm=True,
                send=(300, 900),
                ua="payhub-python/9.1",
            ),
            line("db:5432", 600, want=(100, 300), rounds=(1, 1)),
        ),
        health="wget -q -O - http://127.0.0.1:8080/health",
        environment={"DB_HOST": "db", "CACHE_HOST": "cache"},
    ),
    Service(
        "shop",
        "web",
        ("shop_app",),
        ({**WEB, "then": [http(CALLS, 0, p=0.6, ua="shop-web/1.4")]}, METRICS),
        replicas=2,
        health="wget -q -O - http://127.0.0.1:8080/health",
        environment={"API_URL": "http://api:8080"},
    ),
    Service(
        "shop",
        "edge",
        ("shop_app",),
        (
            {
                **FRONT,
                "then": [
                    http([f"http://web:8080{path}" for path in PAGES], 0, ua="edge/1.4", headers={"X-Real-IP": "users"})
                ],
            },
            METRICS,
        ),
        health="wget -q -O - http://127.0.0.1:80/health",
        options=("--ip", EDGE),
    ),
    Service(
        "shop",
        "worker",
        ("shop_app", "shop_data"),
        (METRICS,),
        (
            line("cache:6379", 180, want=(20, 400), jitter=0.1),
            line("db:5432", 420, mode="poisson", want=(500, 9000)),
            http(["http://api:8080/v1/jobs/next"], 300, ua="shop-worker/1.4", jitter=0.1),
            http(["https://rates.bank.example/daily.json"], 1800, ua="shop-worker/1.4", jitter=0.05),
        ),
    ),
    Service(
        "shop",
        "notify",
        ("shop_app",),
        (METRICS,),
        (
            {
                "kind": "hold",
                "to": "push.notifyhub.example:443",
                "tls": True,
                "alpn": ["h2"],
                "every": 300,
                "span": 7200,
                "beat": 240,
            },
            http(["http://api:8080/v1/notices"], 360, ua="shop-notify/1.4", jitter=0.2),
        ),
    ),
    Service(
        "ops",
        "resolver",
        ("shop_app", "shop_data", "ci_build"),
        ({"port": 53, "kind": "dns", "upstream": NAME_SERVER},),
        version="2.86",
    ),
    Service(
        "ops",
        "scraper",
        ("shop_app", "shop_data"),
        ({"port": 9090, "kind": "http"},),
        tuple(http([f"http://{name}:9100/metrics"], 300, ua="Prometheus/2.54.1") for name in TARGETS),
        version="2.54.1",
        registry=MIRROR,
    ),
    Service(
        "ops",
        "logship",
        ("shop_app",),
        (),
        (
            http(
                ["https://ingest.logwell.example/v1/heartbeat"],
                300,
                send=(180, 180),
                ua="Fluent-Bit",
                ciphers=GO_CIPHERS,
            ),
            http(
                ["https://ingest.logwell.example/v1/logs"],
                240,
                mode="poisson",
                rhythm=True,
                send=(3000, 30000),
                ua="Fluent-Bit",
                ciphers=GO_CIPHERS,
            ),
        ),
        version="3.1.4",
        registry=MIRROR,
        options=("-v", "/var/log:/var/log/host:ro"),
    ),
    Service(
        "ops",
        "node-exporter",
        ("shop_app",),
        (METRICS,),
        version="1.8.2",
        registry=MIRROR,
        options=("--pid", "host", "-v", "/:/rootfs:ro"),
    ),
    Service(
        "ci",
        "runner",
        ("ci_build",),
        (),
        (
            http(
                ["https://git.forge.example/api/v4/jobs/request"],
                120,
                send=(400, 420),
                ua="gitlab-runner 17.2.0 (linux/amd64)",
                ciphers=GO_CIPHERS,
            ),
            http(
                ["https://telemetry.vendor.example/v1/usage"],
                3600,
                send=(600, 640),
                ua="gitlab-runner 17.2.0 (linux/amd64)",
                ciphers=GO_CIPHERS,
            ),
        ),
        version="17.2.0",
        registry=MIRROR,
        options=("-v", "{socket}:/var/run/docker.sock"),
    ),
)

JOBS = {
    "backup": (
        line("db:5432", want=(120_000, 260_000), rounds=(1, 1), times=1, now=True),
        {
            "kind": "upload",
            "urls": ["https://backup.s3-store.example/shop/dump"],
            "send": (140_000, 260_000),
            "every": 1,
            "times": 1,
            "now": True,
        },
    ),
    "job": (
        http(
            ["https://git.forge.example/shop/shop.git/info/refs"],
            20,
            times=2,
            now=True,
            ua="git/2.39.5",
            send=(200, 900),
        ),
        http(
            [f"http://deb.mirror.example/pool/{name}.deb" for name in ("curl", "make", "gcc")],
            20,
            times=3,
            now=True,
            ua="Debian APT-HTTP/1.3 (2.6.1)",
        ),
    ),
    "apt": (
        http(
            [f"http://deb.mirror.example/pool/p{number}.deb" for number in range(20)],
            10,
            times=25,
            now=True,
            ua="Debian APT-HTTP/1.3 (2.6.1)",
        ),
    ),
    "init": (),
}
