"""Everything beyond the cluster's edge: software services, mirrors, clients, and addresses nobody has seen before."""

from dataclasses import dataclass, field

import numpy as np

from service.emulation.estate.wire import Client, Site, client

_VENDORS = [
    "paywave",
    "mailhop",
    "geocast",
    "trackly",
    "smslink",
    "fraudnet",
    "taxcloud",
    "authzero",
    "searchly",
    "imgproc",
    "pushgate",
    "formkit",
    "chatbase",
    "ledgerly",
    "shipfast",
    "mapbase",
    "currency",
    "videohub",
    "docusend",
    "surveyly",
    "crmforce",
    "helpdesk",
    "featureflag",
    "statusly",
    "tracing",
    "errorhub",
    "sessionrec",
    "adserve",
    "newsfeed",
    "weatherly",
    "identity",
    "kycheck",
    "vaulting",
    "notifyly",
    "calendarly",
    "billing",
    "webhookd",
]
_PREFIXES = ("api", "events", "hooks", "ingest", "v2", "eu", "edge", "gw")
_WORDS = [
    "amber",
    "anchor",
    "apple",
    "aspen",
    "atlas",
    "autumn",
    "basil",
    "beacon",
    "birch",
    "bright",
    "brook",
    "candle",
    "canyon",
    "cedar",
    "cherry",
    "cinder",
    "clover",
    "copper",
    "coral",
    "cosmic",
    "crystal",
    "delta",
    "ember",
    "fable",
    "falcon",
    "fern",
    "flint",
    "forest",
    "garden",
    "glacier",
    "golden",
    "granite",
    "harbor",
    "hazel",
    "indigo",
    "island",
    "ivory",
    "jasper",
    "juniper",
    "lantern",
    "laurel",
    "lemon",
    "linden",
    "lunar",
    "maple",
    "marble",
    "meadow",
    "mint",
    "misty",
    "nimbus",
    "ocean",
    "olive",
    "onyx",
    "opal",
    "orchid",
    "pebble",
    "pepper",
    "pine",
    "plum",
    "polar",
    "prairie",
    "quartz",
    "raven",
    "river",
    "robin",
    "saffron",
    "sage",
    "sierra",
    "silver",
    "solar",
    "spruce",
    "stone",
    "summer",
    "sunset",
    "thistle",
    "timber",
    "topaz",
    "tulip",
    "velvet",
    "violet",
    "walnut",
    "willow",
    "winter",
    "wren",
    "zephyr",
]
AGENTS = {
    "go": "Go-http-client/1.1", "python": "python-requests/2.32.3", "java": "Java-http-client/21.0.4", "node": "node",
    "php": "GuzzleHttp/7", "ruby": "Faraday v2.9.0", "rust": "reqwest/0.12.5", "curl": "curl/7.88.1",
}  # fmt: skip


@dataclass
class Outside:
    rng: np.random.Generator
    registries: dict[str, Site] = field(default_factory=dict)
    engine_client: Client = field(default_factory=lambda: client("docker/20.10.24"))
    packages: list[Site] = field(default_factory=list)
    debian: Site = field(default_factory=lambda: Site("deb.mirror.example", ()))
    bucket: Site = field(default_factory=lambda: Site("backups.s3.objects.example", ()))
    _block: int = 0
    _vendors: list[str] = field(default_factory=list)
    _blocks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        blocks = [f"198.18.{third}" for third in range(256)]  # 198.19 is left to what crawlers find
        self._blocks = self.rng.permutation(np.array(blocks)).tolist()
        self._vendors = self.rng.permutation(np.array(_VENDORS)).tolist()
        for name, address in (("registry.corp.example", "10.0.0.20"), ("hub-mirror.corp.example", "10.0.0.21")):
            self.registries[name] = Site(name, (address,))
        self.git = Site("git.corp.example", ("10.0.0.30",))
        self.clients = [self.block() for _ in range(90)]
        self.bots = [self.block() for _ in range(4)]

    def block(self) -> str:
        """Take a /24 that no one else has."""
        self._block += 1
        return self._blocks[(self._block - 1) % len(self._blocks)]

    def site(self, name: str, addresses: int = 3, port: int = 443) -> Site:
        block = self.block()
        hosts = self.rng.choice(np.arange(4, 250), size=addresses, replace=False)
        return Site(name, tuple(f"{block}.{n}" for n in hosts), port=port)

    def registry(self, name: str) -> Site:
        self.registries[name] = self.site(name, 2)
        return self.registries[name]

    def vendor(self) -> Site:
        """Return a software service that nobody of the estate has used so far."""
        name = self._vendors.pop() if self._vendors else self.word() + self.word()
        return self.site(f"{_PREFIXES[self.rng.integers(len(_PREFIXES))]}.{name}.example", int(self.rng.integers(1, 5)))

    def word(self) -> str:
        return _WORDS[int(self.rng.integers(len(_WORDS)))]

    def stranger(self, *, plausible: bool = False, port: int = 443) -> Site:
        """Return a single-address destination for an adversary."""
        a, b = self.word(), self.word()
        name = (
            f"{_PREFIXES[self.rng.integers(len(_PREFIXES))]}.{a}{b}.example"
            if plausible
            else f"{a}-{b}{self.rng.integers(10, 99)}.example"
        )
        pools = ("203.0.113", "192.0.2", "198.51.100")
        block = self.block() if plausible or self.rng.random() < 0.6 else pools[self.rng.integers(3)]
        return Site(name, (f"{block}.{self.rng.integers(5, 250)}",), port=port)

    def client_addresses(self, count: int) -> np.ndarray:
        """Draw visitors: a few frequent ones, many who come once."""
        block = np.array(self.clients, dtype=object)[self.rng.zipf(1.6, count) % len(self.clients)]
        host = self.rng.zipf(1.4, count) % 250 + 2
        return np.array([f"{b}.{h}" for b, h in zip(block, host, strict=True)], dtype=object)

    def fresh_domains(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw names and addresses for a crawler: mostly new ones."""
        words = np.array(_WORDS, dtype=object)
        first, second = words[self.rng.integers(len(words), size=(2, count))]
        number = self.rng.integers(0, 400, count)
        names = np.array(
            [f"www.{a}{b}{n if n > 200 else ''}.example" for a, b, n in zip(first, second, number, strict=True)],
            dtype=object,
        )
        octets = self.rng.integers(2, 250, (count, 2))
        return names, np.array([f"198.19.{a}.{b}" for a, b in octets], dtype=object)


def runtime(rng: np.random.Generator, role: str) -> Client:
    """Pick the language a service is written in, with its fingerprints; a version of the runtime varies them."""
    choices = {
        "web": ("node", "php", "ruby"),
        "api": ("go", "java", "python", "node", "rust"),
        "worker": ("python", "java", "go", "ruby"),
    }
    language = choices.get(role, ("go",))[rng.integers(len(choices.get(role, ("go",))))]
    return client(AGENTS[language], f"{language}{rng.integers(3)}")
