"""Expectations as named tables and back, so that a stored model need not derive them again whenever it is loaded."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import polars as pl

from features.magnitudes import Magnitudes
from features.novelty import Novelty

Expectations = TypeVar("Expectations", Magnitudes, Novelty)


def tables_of(expected: Magnitudes | Novelty) -> dict[str, pl.DataFrame]:
    """Name every table, its rows in order, `<kind>_<field>`; one of several in a field `<kind>_<field>_<level>`."""
    kind = type(expected).__name__.lower()
    found: dict[str, pl.DataFrame] = {}
    for field in fields(expected):
        held = getattr(expected, field.name)
        several = held.items() if isinstance(held, dict) else [("", held)]
        found |= {f"{kind}_{field.name}_{level}".rstrip("_"): table.sort(pl.all()) for level, table in several}
    return found


def from_tables(kind: type[Expectations], tables: Mapping[str, pl.DataFrame]) -> Expectations:
    """Put expectations together again from the tables that `tables_of` named, among others.

    Raises
    ------
    ValueError
        If a table is missing.
    """
    held: dict[str, Any] = {}
    for field in fields(kind):
        name = f"{kind.__name__.lower()}_{field.name}"
        if field.type is pl.DataFrame:
            held[field.name] = tables.get(name)
        else:
            levels = {n.removeprefix(f"{name}_"): table for n, table in tables.items() if n.startswith(f"{name}_")}
            held[field.name] = levels or None
        if held[field.name] is None:
            raise ValueError(f"there is no table {name}")
    return kind(**held)
