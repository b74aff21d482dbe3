"""What goes over the network."""

from service.emulation.steps.step import Step


class Beacon(Step, frozen=True, kw_only=True, tag="beacon"):
    """Check-ins at a beat.

    `jitter` is the share of the period by which a gap may differ, below 0: gaps are exponential. `transport` is http,
    tls, raw (bytes that no analyser knows), fake_tls (a hello in form only), dns_over_https. `name` is what is named
    in SNI or Host instead of the site's own: known (a site the fleet uses), own (a site the victim uses), or literally.
    `client` is victim (as the victim itself speaks) or a tool: curl, python, go, browser, none.
    """

    to: str
    period: float
    lasting: float
    on: str = "victim"
    jitter: float = 0.2
    transport: str = "tls"
    port: int = 0
    name: str = ""
    client: str = "victim"
    uri: str = "/"
    referrer: str = ""
    sent: float = 400.0
    received: float = 300.0
    look_ups: bool = True


class Session(Step, frozen=True, kw_only=True, tag="session"):
    """Long connections, `count` of them spread over `lasting` seconds.

    `service` is what an analyser would say is spoken, empty: unknown; `transport` tcp, udp or tls.
    """

    to: str
    port: int
    seconds: float
    on: str = "victim"
    service: str = ""
    transport: str = "tcp"
    sent: float = 40_000.0
    received: float = 8_000.0
    count: int = 1
    lasting: float = 0.0
    client: str = "none"


class Lookups(Step, frozen=True, kw_only=True, tag="lookups"):
    """Names are asked for: `per_hour` for `lasting` seconds under the zone of site `to`.

    `labels` is base32 (data in names), hex (generated) or words; `answers` is text, random (addresses nobody connects
    to) or none (no such name); `resolver` is system or public.
    """

    to: str
    per_hour: float
    lasting: float
    on: str = "victim"
    labels: str = "base32"
    length: int = 32
    qtype: str = "A"
    answers: str = "random"
    resolver: str = "system"


class Scan(Step, frozen=True, kw_only=True, tag="scan"):
    """Addresses of `to` (internal, outside) are tried: `per_minute` for `lasting` seconds at `ports`."""

    ports: tuple[int, ...]
    per_minute: float
    lasting: float
    on: str = "victim"
    to: str = "internal"
    answered: float = 0.05


class Upload(Step, frozen=True, kw_only=True, tag="upload"):
    """Data leaves: `sent` bytes each time, `count` times, `every` seconds, over TLS."""

    to: str
    sent: float
    on: str = "victim"
    count: int = 1
    every: float = 3600.0
    seconds: float = 30.0
    client: str = "go"

    @property
    def lasting(self) -> float:
        """Return for how long it goes on."""
        return self.count * self.every


class Contact(Step, frozen=True, kw_only=True, tag="contact"):
    """The workload speaks with one inside that it never spoke with, of role `peer`, or with `node` or `metadata`."""

    peer: str
    port: int = 0
    service: str = ""
    on: str = "victim"
    uri: str = "/"
    count: int = 3
    every: float = 20.0
    sent: float = 3_000.0
    received: float = 30_000.0
    client: str = "victim"

    @property
    def lasting(self) -> float:
        """Return for how long it goes on."""
        return self.count * self.every


class Echo(Step, frozen=True, kw_only=True, tag="echo"):
    """ICMP echo requests with `payload` bytes each."""

    to: str
    per_minute: float
    lasting: float
    on: str = "victim"
    payload: int = 700


class Relay(Step, frozen=True, kw_only=True, tag="relay"):
    """A proxy for strangers: `hosts` unrelated destinations, as much in as out."""

    hosts: int
    lasting: float
    on: str = "foothold"
    sent: float = 20_000.0


class Inbound(Step, frozen=True, kw_only=True, tag="inbound"):
    """Someone from site `to` connects to a port of the host or of a container."""

    to: str
    port: int
    on: str = "host"
    count: int = 5
    every: float = 2.0
    uris: tuple[str, ...] = ()
    client: str = "go"
