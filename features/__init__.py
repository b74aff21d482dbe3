"""Telemetry to evidence: sources, identity, windows, features, baselines."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from features.extraction import extract
    from features.ingest import read_events

__all__ = ["extract", "read_events"]

_HOMES = {"extract": "features.extraction", "read_events": "features.ingest"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (whatever the name stands for)
    # Imported on first use: a command that reads no telemetry does not wait for polars.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
