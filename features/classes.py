"""Classes of events: each is read, and kept, for another span."""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from features.events import KINDS

NETWORK, SYSTEM, APPLICATION = "network", "system", "application"
CLASSES: Final[Mapping[str, str]] = {
    kind: NETWORK if kind in {"flow", "dns", "tls", "http"} else APPLICATION if kind in {"log", "alert"} else SYSTEM
    for kind in KINDS
}


def by_class(events: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Part events by the class of their kind, in order."""
    kept = events["kind"].replace_strict(CLASSES, default=SYSTEM, return_dtype=pl.String)
    for name in kept.unique().sort():
        chosen = kept == name
        yield name, events if chosen.all() else events.filter(chosen)
