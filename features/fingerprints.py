"""Texts that stand for what a result was made of: inputs, and the code that worked on them."""

import hashlib
from functools import cache
from pathlib import Path

import polars as pl


def fingerprint(*inputs: object) -> str:
    """Give a short text that is another one for other inputs, as `repr` shows them; of a path its name counts alone."""
    shown = (_shown(given) for given in inputs)
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()[:16]


def _shown(given: object) -> str:
    if isinstance(given, Path):
        return given.name
    return repr([_shown(one) for one in given]) if isinstance(given, list | tuple) else repr(given)


@cache
def code() -> str:
    """Give the fingerprint of this package's code and of the polars that runs it."""
    modules = sorted(Path(__file__).parent.rglob("*.py"))
    return fingerprint(pl.__version__, [(path, path.read_bytes()) for path in modules])
