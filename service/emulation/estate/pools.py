"""Pools of names, of which each split of made-up estates owns a third: no name of one occurs in another."""

from functools import cache
from importlib.resources import files
from itertools import product

import msgspec


class Pools(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    projects: list[str]
    areas: list[str]
    vendors: list[str]
    prefixes: list[str]
    words: list[str]
    syllables: list[str]
    adjectives: list[str]
    surnames: list[str]
    people: list[str]
    namespaces: list[str]
    companies: list[str]
    hiding: list[str]

    def all_words(self) -> list[str]:
        """Return the words that there are, and as many made of two syllables."""
        return self.words + ["".join(pair) for pair in product(self.syllables, repeat=2)]


@cache
def pools() -> Pools:
    """Return the pools as their file has them."""
    text = (files("service.emulation.estate") / "pools.toml").read_bytes()
    return msgspec.toml.decode(text, type=Pools)
