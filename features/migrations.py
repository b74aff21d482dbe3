"""How events that were written under an earlier schema become events of today's."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from features.events import EVENT_SCHEMA


@dataclass(frozen=True)
class Migration:
    """The way from one version of the schema to the next.

    A column that is only new or only gone needs none: what a file lacks reads as null, what is not known is not read.

    Parameters
    ----------
    before
        Columns of the earlier version, with their types, that `columns` are derived from and that the next version
        lacks or holds as another type.
    columns
        For each column that is derived, how it follows from the earlier version's.
    """

    before: Mapping[str, pl.DataType]
    columns: Mapping[str, pl.Expr]


# In order: the first leads from version 0 to 1. Files of version 0 name no version; nothing else sets them apart.
MIGRATIONS: tuple[Migration, ...] = (Migration({}, {}),)


def schema_of(written: int) -> dict[str, pl.DataType]:
    """Give the columns, with types, to read from a file of an earlier version, or of this one."""
    schema = dict(EVENT_SCHEMA)
    for migration in reversed(MIGRATIONS[written:]):
        schema |= migration.before
    return schema


def migrated(events: pl.LazyFrame, written: int) -> pl.LazyFrame:
    """Turn events with the columns of `schema_of(written)` into events of `EVENT_SCHEMA`."""
    pending = [migration for migration in MIGRATIONS[written:] if migration.columns]
    for migration in pending:
        events = events.with_columns(**migration.columns)
    return events.select(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items()) if pending else events
