"""The names that estates of a split call things by."""

from functools import cached_property

import numpy as np

from service.emulation.estate.pools import pools
from service.emulation.splits import Split, own

# The parts of the simulator speak of these; what is written has the estate's own names in their place.
_DOMAINS = (
    "corp",
    "mirror",
    "objects",
    "gomod",
    "edgecast",
    "isp",
    "spamlist",
    "standby",
    "testchain",
    "ntp",
    "collector",
)
_NAMESPACE, _PEOPLE = "payments", ("alice", "bob", "carol")


class Vocabulary:
    """Draws names from a split's third of every pool.

    Parameters
    ----------
    split
        Whose names.
    rng
        Chooses what the company and what it depends on are called.
    """

    def __init__(self, split: Split, rng: np.random.Generator) -> None:
        self.split = split
        self.words = own(pools().all_words(), split)
        self.prefixes = own(pools().prefixes, split)
        self.adjectives = own(pools().adjectives, split)
        self.hiding = own(pools().hiding, split)
        self.vendors = self._shuffled(pools().vendors, rng)
        self.projects = self._shuffled(pools().projects, rng)
        company = self._shuffled(pools().companies, rng)[0]
        domains = [company, *(f"{self._word(rng)}-{kind}" for kind in _DOMAINS[1:])]
        self.stand_ins = {f"{old}.example": f"{new}.example" for old, new in zip(_DOMAINS, domains, strict=True)}
        self.stand_ins[_NAMESPACE] = self._shuffled(pools().namespaces, rng)[0]
        people = self._shuffled(pools().people, rng)
        self.stand_ins |= {f"{old}@": f"{new}@" for old, new in zip(_PEOPLE, people, strict=False)}

    def _shuffled(self, pool: list[str], rng: np.random.Generator) -> list[str]:
        return [str(name) for name in rng.permutation(np.array(own(pool, self.split)))]

    def _word(self, rng: np.random.Generator) -> str:
        return self.words[int(rng.integers(len(self.words)))]

    def project(self, number: int) -> str:
        """Return the name of a project: first plain ones, then those of several teams for the same thing."""
        if number < len(self.projects):
            return self.projects[number]
        area, place = divmod(number - len(self.projects), len(self.projects))
        return f"{self.projects[place]}-{(pools().areas + self.words)[area]}"

    def container(self, rng: np.random.Generator) -> str:
        """Draw a name as the Docker Engine gives one to a container nobody named."""
        surnames = pools().surnames
        return f"{self.adjectives[rng.integers(len(self.adjectives))]}_{surnames[rng.integers(len(surnames))]}"

    @cached_property
    def _marked(self) -> list[tuple[bytes, list[tuple[bytes, bytes]]]]:
        """Return the stand-ins in bytes, by what a text has that has any of them: most texts have none."""
        encoded = [(old.encode(), new.encode()) for old, new in self.stand_ins.items()]
        return [
            (mark, [pair for pair in encoded if mark in pair[0]]) for mark in (b".example", b"@", _NAMESPACE.encode())
        ]

    def put(self, text: bytes) -> bytes:
        """Put the estate's own names in the place of the stand-ins."""
        for mark, pairs in self._marked:
            if mark in text:
                for old, new in pairs:
                    text = text.replace(old, new)
        return text
