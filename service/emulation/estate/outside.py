"""Everything beyond the cluster's edge: software services, mirrors, clients, and addresses nobody has seen before."""

from dataclasses import dataclass, field

import numpy as np

from service.emulation.estate.vocabulary import Vocabulary
from service.emulation.estate.wire import Client, Site, client

AGENTS = {
    "go": "Go-http-client/1.1", "python": "python-requests/2.32.3", "java": "Java-http-client/21.0.4", "node": "node",
    "php": "GuzzleHttp/7", "ruby": "Faraday v2.9.0", "rust": "reqwest/0.12.5", "curl": "curl/7.88.1",
}  # fmt: skip
_TEST_NETWORKS = ("203.0.113", "192.0.2", "198.51.100")
# So many software services are each used by one service; where there are more, teams choose what others use already.
_FEW = 150


@dataclass
class Outside:
    rng: np.random.Generator
    names: Vocabulary
    registries: dict[str, Site] = field(default_factory=dict)
    engine_client: Client = field(default_factory=lambda: client("docker/20.10.24"))
    packages: list[Site] = field(default_factory=list)
    debian: Site = field(default_factory=lambda: Site("deb.mirror.example", ()))
    bucket: Site = field(default_factory=lambda: Site("backups.s3.objects.example", ()))
    _vendors: list[str] = field(default_factory=list)
    _usual: list[Site] = field(default_factory=list)
    _used: dict[str, set[int]] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        blocks = [f"198.18.{third}" for third in range(256)]  # 198.19 is left to what crawlers find
        blocks = [str(block) for block in self.rng.permutation(np.array(blocks))]
        self.clients, self.bots = blocks[:90], blocks[90:94]
        # Nobody shares a network with an adversary by chance.
        self._blocks = {"strangers": blocks[94:134], "sites": blocks[134:], "tests": list(_TEST_NETWORKS)}
        self._vendors = list(self.names.vendors)
        for name, address in (("registry.corp.example", "10.0.0.20"), ("hub-mirror.corp.example", "10.0.0.21")):
            self.registries[name] = Site(name, (address,))
        self.git = Site("git.corp.example", ("10.0.0.30",))

    def _take(self, kind: str, count: int) -> tuple[str, ...]:
        """Take addresses in a /24 that no one else has or, when there is none, in one that is shared."""
        blocks = self._blocks[kind]
        turn = self._turns[kind] = self._turns.get(kind, -1) + 1
        block = blocks[turn % len(blocks)]
        used = self._used.setdefault(block, set())
        free = [number for number in range(4, 250) if number not in used]
        if len(free) < count:
            raise LookupError(f"all addresses for {kind} are taken")
        chosen = self.rng.choice(free, size=count, replace=False).tolist()
        used.update(chosen)
        return tuple(f"{block}.{number}" for number in chosen)

    def site(self, name: str, addresses: int = 3, port: int = 443) -> Site:
        return Site(name, self._take("sites", addresses), port=port)

    def registry(self, name: str) -> Site:
        self.registries[name] = self.site(name, 2)
        return self.registries[name]

    def vendor(self) -> Site:
        """Return a software service that nobody of the estate has used so far."""
        name = self._vendors.pop() if self._vendors else self.word() + self.word()
        return self.site(f"{self._prefix()}.{name}.example", int(self.rng.integers(1, 5)))

    def usual(self) -> Site:
        """Return a software service as a team would choose it: a new one, or in a large estate one that others use."""
        if len(self._usual) > _FEW and self.rng.random() > _FEW / len(self._usual):
            return self._usual[int(self.rng.integers(len(self._usual)))]
        self._usual.append(self.vendor())
        return self._usual[-1]

    def word(self) -> str:
        return self.names.words[int(self.rng.integers(len(self.names.words)))]

    def _prefix(self) -> str:
        return self.names.prefixes[int(self.rng.integers(len(self.names.prefixes)))]

    def stranger(self, *, plausible: bool = False, port: int = 443) -> Site:
        """Return a single-address destination for an adversary."""
        a, b = self.word(), self.word()
        name = f"{self._prefix()}.{a}{b}.example" if plausible else f"{a}-{b}{self.rng.integers(10, 99)}.example"
        kind = "strangers" if plausible or self.rng.random() < 0.6 else "tests"
        return Site(name, self._take(kind, 1), port=port)

    def client_addresses(self, count: int) -> np.ndarray:
        """Draw visitors: a few frequent ones, many who come once."""
        block = np.array(self.clients, dtype=object)[self.rng.zipf(1.6, count) % len(self.clients)]
        host = self.rng.zipf(1.4, count) % 250 + 2
        return np.array([f"{b}.{h}" for b, h in zip(block, host, strict=True)], dtype=object)

    def fresh_domains(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw names and addresses for a crawler: mostly new ones."""
        words = np.array(self.names.words, dtype=object)
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
