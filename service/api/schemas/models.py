"""Types of models."""

from typing import Any

import msgspec


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Models, the newest first, and which of them answers."""

    champion: str | None
    models: list[dict[str, Any]]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model: its manifest tells features, training span, parameters, metrics and the hash of each file."""

    version: str
    champion: bool
    manifest: dict[str, Any]


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """The model that now answers, and the one before it."""

    champion: str
    before: str | None
