"""Acts."""

from collections.abc import Callable
from typing import Any

from service.emulation.estate.cast import Cast

ACTS: dict[type, Callable[[Cast, float, Any], None]] = {}
