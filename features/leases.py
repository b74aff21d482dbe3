"""Who held a container id or an address, and when: the join that lands every event on its workload.

A lease is valid from the start that an inspect snapshot or an orchestrator reports until the container dies or is
destroyed, or another container is given the address. Events are joined as of their own time.
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import polars as pl

from features.addresses import INTERNAL, Network, is_external, is_owned, mapped, remembering
from features.container_leases import OwnLeases, by_container, image_key
from features.events import TIME, with_missing
from features.identity import UNKNOWN_HOST
from features.machines import MACHINE_KINDS, heard, machines

PULL_TO_RUN = timedelta(minutes=15)
# Zeek's states of connections that nobody answered or that were refused: no proof that someone is there
FAILED = ("S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR")

LEASE_KINDS = ("config", "lifecycle", *MACHINE_KINDS)
LEASE_COLUMNS = (
    "ts", "event_id", "source", "kind", "action", "host", "container_id", "workload", "image_registry",
    "image_repository", "image_tag", "image_digest", "config", "addresses", "valid_from", "src_ip",
)  # fmt: skip
_ENDS = ("ts", "kind", "host", "container_id", "workload", "actor", "src_ip", "dst_ip", "conn_state")


@dataclass(frozen=True)
class Leases:
    """Time-valid ownership.

    Parameters
    ----------
    containers
        One row per container id: `container_id, workload, host, image_repository, healthcheck`.
    addresses
        `address, host, holder, valid_from, valid_to`, sorted by `valid_from`.
    runs
        Creations of containers: `host, image_key, ts, runner`, sorted by `ts`; attributes pulls.
    machines
        `address, machine`: what a host speaks from itself, as far as it is known.
    """

    containers: pl.DataFrame
    addresses: pl.DataFrame
    runs: pl.DataFrame
    machines: pl.DataFrame


def is_pull() -> pl.Expr:
    """Select the pulls of images, as an engine or a registry tells of them."""
    return (pl.col("kind") == "pull") | (pl.col("action") == "registry_pull")


def build_leases(events: pl.DataFrame) -> Leases:
    """Build the lease table from lifecycle and configuration events (columns `LEASE_COLUMNS`), whatever their order."""
    told = events.filter(pl.col("kind").is_in(MACHINE_KINDS) | pl.col("container_id").is_not_null())
    told = told.select(LEASE_COLUMNS)
    return _told_by(told) if len(told) else _none(tuple(told.schema.items()))


def _told_by(events: pl.DataFrame) -> Leases:
    return joined(by_container(events), machines(heard(events)))


@cache
def _none(schema: tuple[tuple[str, pl.DataType], ...]) -> Leases:
    """Give the leases of events that tell of none, as few flows do: made once, and not for each request."""
    return _told_by(pl.DataFrame(schema=dict(schema)))


def joined(own: OwnLeases, known: pl.DataFrame) -> Leases:
    """Join what each container held, and where machines are known to be, to leases that events can be asked of."""
    held = own.addresses.drop("container_id").sort("valid_from", "address", "host", "holder", "valid_to")
    return Leases(own.containers, held, own.runs.drop("container_id").sort("ts", "runner"), known)


def _held(events: pl.DataFrame, leases: Leases, address: str, name: str) -> pl.DataFrame:
    """Name the holder of `address` as of each event's time: by host where the event states one, else fleet-wide."""
    keyed = events.select("row", "ts", "host", pl.col(address).alias("address")).filter(pl.col("address").is_not_null())
    found: list[pl.DataFrame] = []
    for known_host, keys in ((True, ["address", "host"]), (False, ["address"])):
        side = keyed.filter(pl.col("host").is_not_null() == known_host)
        if not known_host and found:
            missed = keyed.filter(pl.col("host").is_not_null()).join(found[0], on="row", how="anti")
            side = pl.concat([side, missed]).sort("ts", maintain_order=True)
        joined = side.join_asof(
            leases.addresses.select([*keys, "holder", "valid_from", "valid_to"]),
            left_on="ts",
            right_on="valid_from",
            by=keys,
            check_sortedness=False,
        )
        held = pl.col("holder").is_not_null() & (pl.col("valid_to").is_null() | (pl.col("ts") < pl.col("valid_to")))
        found.append(joined.filter(held).select("row", pl.col("holder").alias(name)))
    return pl.concat(found)


def attribute(events: pl.DataFrame, leases: Leases, networks: tuple[Network, ...] = INTERNAL) -> pl.DataFrame:
    """Name the workload of every event, and of the other end of every flow.

    Parameters
    ----------
    events
        Event rows in any order.
    leases
        Leases over at least the span of the events.
    networks
        Internal networks: an address nobody leased becomes `ip:<address>` only inside them, and as a responder only
        where it answered, so that a scan does not invent workloads.

    Returns
    -------
    The events sorted by time, `workload` filled where it can be, with three more columns: `peer` (the responder's
    workload), `external` (whether the responder lies outside; null without an address) and `healthcheck` (the command
    that the container's own health check runs).
    """
    events = events.sort("ts", "event_id")
    told = is_pull() if "action" in events.columns else pl.lit(value=False)
    # Joined are the columns that it takes, not the rows as they are: these are wide.
    rows = _placed(events.select(_ENDS), leases).with_row_index("row")
    pulled = _pulled_for(with_missing(events.with_columns(rows["row"], rows["host"]).filter(told)), leases)
    rows = rows.join(
        leases.containers.select("container_id", pl.col("workload").alias("leased"), "healthcheck"),
        on="container_id",
        how="left",
        maintain_order="left",
    )
    ends = pl.concat([rows["src_ip"], rows["dst_ip"]]).alias("address")
    owned = mapped(ends, "inside", remembering(is_owned, networks), pl.Boolean())
    unnamed = pl.lit("ip:")
    hosts = leases.machines.with_columns(pl.concat_str(pl.lit("host:"), "machine").alias("machine"))
    answered = ~pl.col("conn_state").is_in(FAILED) | pl.col("conn_state").is_null()
    for address, name, exists in (("src_ip", "source_holder", pl.lit(value=True)), ("dst_ip", "peer", answered)):
        rows = (
            rows.join(_held(rows, leases, address, name), on="row", how="left", maintain_order="left")
            .join(owned, left_on=address, right_on="address", how="left", maintain_order="left")
            .join(hosts, left_on=address, right_on="address", how="left", maintain_order="left")
            .with_columns(
                pl.coalesce(name, "machine", pl.when(pl.col("inside") & exists).then(unnamed + pl.col(address))).alias(
                    name
                )
            )
            .drop("inside", "machine")
        )
    outside = mapped(rows["dst_ip"], "external", remembering(is_external, networks), pl.Boolean())
    host = pl.concat_str(pl.lit("host:"), pl.coalesce("host", "src_ip").fill_null(UNKNOWN_HOST))
    is_host_level = pl.col("kind").is_in(["pull", "image"])
    found = (
        rows.join(outside, on="dst_ip", how="left", maintain_order="left")
        .join(pulled, on="row", how="left", maintain_order="left")
        .select(
            "host",
            pl.when(pl.col("kind") == "audit")
            .then("actor")
            .when(is_host_level)
            .then(pl.coalesce("runner", "leased", "source_holder", host))
            .otherwise(pl.coalesce("leased", "workload", "source_holder"))
            .alias("workload"),
            "peer",
            pl.col("external") & pl.col("peer").is_null(),
            "healthcheck",
        )
    )
    return events.with_columns(found.get_columns())


def _placed(rows: pl.DataFrame, leases: Leases) -> pl.DataFrame:
    """Name the host of what a registry heard from a machine."""
    heard = pl.when((pl.col("kind") == "image") & pl.col("host").is_null()).then("machine")
    return (
        rows.join(leases.machines, left_on="src_ip", right_on="address", how="left", maintain_order="left")
        .with_columns(pl.coalesce("host", heard).alias("host"))
        .drop("machine")
    )


def _pulled_for(pulls: pl.DataFrame, leases: Leases) -> pl.DataFrame:
    keyed = pulls.select("row", pl.col("ts").cast(TIME), pl.col("host").fill_null(UNKNOWN_HOST), image_key())
    return keyed.join_asof(
        leases.runs,
        on="ts",
        by=["host", "image_key"],
        strategy="forward",
        tolerance=PULL_TO_RUN,
        check_sortedness=False,
    ).select("row", "runner")
