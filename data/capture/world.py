"""The world outside the estate: its names, its addresses, its users, all played by one container."""

from typing import Any

from data.capture.estate import BROWSERS, EDGE, NAME_SERVER, PAGES, http

OUTSIDE = ("outside", "198.51.100.0/24", "rg-out")
WORLD = {
    "api.payhub.example": "198.51.100.10",
    "ingest.logwell.example": "198.51.100.11",
    "git.forge.example": "198.51.100.12",
    "deb.mirror.example": "198.51.100.13",
    "backup.s3-store.example": "198.51.100.14",
    "push.notifyhub.example": "198.51.100.15",
    "telemetry.vendor.example": "198.51.100.16",
    "rates.bank.example": "198.51.100.17",
    "cdn-static.example": "198.51.100.66",
    "updates-sync.example": "198.51.100.67",
    "backup.s3-storage.example": "198.51.100.68",
    "*.t.dnsedge.example": "198.51.100.69",
}
USERS = [f"198.51.100.{number}" for number in range(100, 131)]


def world_plan() -> dict[str, Any]:
    """Return what the world outside serves and what its users do."""
    serve: list[dict[str, Any]] = [{"kind": "dns", "address": NAME_SERVER, "port": 53, "zone": WORLD}]
    for name, address in WORLD.items():
        if not name.startswith("*"):
            kind = "raw" if name.startswith("push.") else "http"
            serve.append({"kind": kind, "address": address, "port": 443, "tls": name != "updates-sync.example"})
            serve.append({"kind": "http", "address": address, "port": 80})
    for entry in serve:
        if entry["address"] == WORLD["updates-sync.example"] and entry["port"] == 443:  # noqa: PLR2004 (https)
            entry["kind"] = "raw"
    serve.append({"kind": "raw", "address": WORLD["updates-sync.example"], "port": 4444})
    users = [
        http(
            [f"http://{EDGE}{path}" for path in PAGES],
            45,
            mode="poisson",
            rhythm=True,
            sources=USERS,
            ua=BROWSERS,
            headers={"Host": "shop.example"},
        ),
        http(
            [f"http://{EDGE}/login"],
            400,
            mode="poisson",
            rhythm=True,
            sources=USERS,
            send=(60, 200),
            ua=BROWSERS,
            headers={"Host": "shop.example"},
        ),
    ]
    return {"serve": serve, "loops": users, "route": False}
