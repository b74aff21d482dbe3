"""Of all leases those that matter to one day: the same however much was learnt since, unless it is of that day.

What they say of the day's events is what all leases say of them.
"""

import hashlib
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import polars as pl

from features import whole_files
from features.leases import PULL_TO_RUN, Leases
from features.survey import Marks, mark


def during(leases: Leases, since: datetime, until: datetime, met: Marks) -> Leases:
    """Keep what can name the workload of an event with `since <= ts < until`.

    Parameters
    ----------
    met
        Marks of the containers and addresses in the events (`features.survey`).
    """
    # The last lease from before hides older ones even where it is over.
    before = pl.col("valid_from") <= since
    held = leases.addresses.filter(pl.col("valid_from") < until)
    last = held.filter(before).unique(["address", "host"], keep="last", maintain_order=True)
    addresses = pl.concat([last, held.filter(~before)]).with_columns(
        pl.when(pl.col("valid_to") < until).then("valid_to").alias("valid_to")
    )
    return Leases(
        _met(leases.containers, "container_id", met),
        _met(addresses, "address", met),
        leases.runs.filter((pl.col("ts") >= since) & (pl.col("ts") < until + PULL_TO_RUN)),
        _met(leases.machines, "address", met),
    )


def _met(table: pl.DataFrame, column: str, met: Marks) -> pl.DataFrame:
    marks = pl.DataFrame({"mark": met}, schema={"mark": pl.UInt64})
    return table.with_columns(mark(column)).join(marks, on="mark", how="semi", maintain_order="left").drop("mark")


def digest(leases: Leases) -> str:
    """Give a text that is another one for other leases, but for the order of their containers and machines."""
    containers, machines = (table.sort(table.columns[0]) for table in (leases.containers, leases.machines))
    tables = (containers, leases.addresses, leases.runs, machines)
    return hashlib.sha256(b"\n\n".join(table.write_csv().encode() for table in tables)).hexdigest()


def save(leases: Leases, folder: Path) -> None:
    """Write the tables of leases to a folder."""
    for item in fields(leases):
        whole_files.write_parquet(getattr(leases, item.name), folder / f"{item.name}.parquet", durable=False)


def load(folder: Path) -> Leases:
    """Read what `save` wrote."""
    return Leases(**{item.name: pl.read_parquet(folder / f"{item.name}.parquet") for item in fields(Leases)})
