"""The world outside: one container for each destination, on an internal network, that answers and keeps nothing."""

from dataclasses import dataclass, field
from typing import Self

from service.emulation.scenario import Site

NAMES = {
    "stranger": "updates-sync.example",
    "plausible": "telemetry-vendor.example",
    "bare": "",
    "saas": "hooks.chat-service.example",
    "own": "api.partner.example",
    "bucket": "backups.object-store.example",
    "lookalike": "assets.object-store.example",
}
KNOWN = "api.partner.example"
"""A name that the workload could know; borrowed, never resolved."""
FOLDER = "/emulation"
FIRST, UNLEASED = 1, 16
"""The engine leases the lower half of the outer network; a sink adds an address of the upper half by itself, since what
the engine leases is known as a container, and a destination outside is not."""


@dataclass
class Sink:
    """One destination: its container, address and name, and what it must answer at which port."""

    container: str
    address: str
    name: str
    port: int
    listens: dict[int, tuple[str, int]] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: str, name: str, site: Site, number: int, block: int) -> Self:
        """Make the sink of a site."""
        known = NAMES.get(site.kind, f"{name}.example")
        known = f"n{number}.{known}" if known and number > FIRST else known
        return cls(f"wharfinger-{run}-{name}", f"198.51.100.{block * 32 + UNLEASED + number}", known, site.port)

    def at(self, kind: str, port: int, received: float, uri: str = "") -> str:
        """Listen at a port, 0: the site's own, and return where that is.

        `kind` is http, tls (pages inside TLS), tls_sink (TLS that swallows) or raw.
        """
        port = port or self.port
        self.listens.setdefault(port, (kind, int(received)))
        if uri:
            self.pages.setdefault(uri.partition("?")[0].strip("/") or "index.html", int(received))
        return f"{self.address}:{port}"

    def script(self) -> str:
        """Return the script that the sink's container runs."""
        lines = [f"ip address add {self.address}/27 dev eth0"] if self.address[0].isdigit() else []
        lines.append("mkdir -p /www; cd /www")
        for page, size in self.pages.items():
            parent = f"mkdir -p '{page.rpartition('/')[0]}'; " if "/" in page else ""
            lines.append(f"{parent}head -c {size} /dev/zero > '{page}'")
        for port, (kind, received) in sorted(self.listens.items()):
            lines.append(f"{_server(kind, port, received)} &")
        return "\n".join(lines) + "\n"

    def answers(self) -> dict[str, str]:
        """Return the programs by path that answer raw connections."""
        return {
            f"{FOLDER}/answer-{port}-{received}.sh": f"#!/bin/sh\nhead -c {received} /dev/urandom\ncat >/dev/null\n"
            for port, (kind, received) in self.listens.items()
            if kind == "raw"
        }


def _server(kind: str, port: int, received: int) -> str:
    if kind == "http":
        return f"httpd -f -p {port} -h /www"
    if kind == "raw":
        return f"nc -ll -p {port} -e {FOLDER}/answer-{port}-{received}.sh"
    serve = f"openssl s_server -quiet -accept {port} -cert {FOLDER}/cert.pem -key {FOLDER}/key.pem"
    if kind == "tls":
        return f"{serve} -WWW >/dev/null 2>&1"
    return f"while sleep 3600; do :; done | {serve} >/dev/null 2>&1"
