"""Forests over evidence, their calibration, and what a score is made of."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.detector import Detector
    from models.registry import Registry

__all__ = ["Detector", "Registry"]

_HOMES = {"Detector": "models.detector", "Registry": "models.registry"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (whatever the name stands for)
    # Imported on first use: a process that only needs the shape of a score does not load numpy.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
