"""The one normalised, columnar event that every source is turned into."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

TIME: Final = pl.Datetime("us", "UTC")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)  # no event is older

KINDS: Final = (
    "pull",  # an image was pulled by an engine
    "image",  # any other life of an image: tag, push, load, import, untag, delete; a registry's own view of it
    "lifecycle",  # a container was created, started, died, destroyed, renamed, paused, (dis)connected from a network
    "config",  # a snapshot of how a container or pod is configured
    "exec",  # a command was run in, or attached to, a running container
    "flow",
    "dns",
    "tls",
    "http",
    "audit",  # a request to an orchestrator's API by an actor
    "alert",  # another tool's judgement
    "log",
)

# Of EVENT_SCHEMA. A column that changes its name, type or meaning makes a new version, and a migration to it.
SCHEMA_VERSION: Final = 1

EVENT_SCHEMA: Final[dict[str, pl.DataType]] = {
    "ts": TIME,
    "event_id": pl.UInt64(),
    "source": pl.String(),
    "kind": pl.String(),
    "action": pl.String(),
    # who
    "host": pl.String(),
    "cluster": pl.String(),
    "namespace": pl.String(),
    "container_id": pl.String(),
    "container_name": pl.String(),
    "workload": pl.String(),
    "actor": pl.String(),
    # image reference as written, and its parts
    "image": pl.String(),
    "image_registry": pl.String(),
    "image_repository": pl.String(),
    "image_tag": pl.String(),
    "image_digest": pl.String(),
    # network; sizes in bytes, duration in seconds; out is originator to responder
    "src_ip": pl.String(),
    "src_port": pl.Int32(),
    "dst_ip": pl.String(),
    "dst_port": pl.Int32(),
    "proto": pl.String(),
    "service": pl.String(),
    "bytes_out": pl.Int64(),
    "bytes_in": pl.Int64(),
    "duration": pl.Float64(),
    "conn_state": pl.String(),
    "uid": pl.String(),
    # TLS
    "server_name": pl.String(),
    "tls_version": pl.String(),
    "established": pl.Boolean(),
    "ja3": pl.String(),
    "ja4": pl.String(),
    "alpn": pl.String(),
    # DNS
    "query": pl.String(),
    "qtype": pl.String(),
    "rcode": pl.String(),
    "answers": pl.List(pl.String()),
    # HTTP; the Host header stands in server_name
    "method": pl.String(),
    "uri": pl.String(),
    "user_agent": pl.String(),
    "status": pl.Int32(),
    # configuration and control
    "config": pl.List(pl.String()),  # flattened `Field=value` tokens
    "addresses": pl.List(pl.String()),  # the container's own addresses, where a record states them
    "valid_from": TIME,  # since when those addresses are its own
    "command": pl.String(),
    "resource": pl.String(),  # Kubernetes resource[/subresource]
    "name": pl.String(),  # name of the object acted on
    "rule": pl.String(),
    "priority": pl.String(),
    # the source's own identity of the record, and the way back to the raw record (`file:line` or intake id)
    "record_id": pl.String(),
    "raw_ref": pl.String(),
}


def frame(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Build an event frame from partial rows.

    Parameters
    ----------
    rows
        Mappings from column name to value; columns a row leaves out are null.

    Returns
    -------
    Frame with exactly the columns of `EVENT_SCHEMA`, in its order.

    Raises
    ------
    polars.exceptions.PolarsError
        If a value does not fit its column.

    Examples
    --------
    >>> frame([{"source": "zeek", "kind": "flow", "dst_port": 443}]).select("kind", "dst_port").row(0)
    ('flow', 443)
    """
    rows = list(rows)
    used = set().union(*(row.keys() for row in rows)) if rows else set()
    if unknown := used - EVENT_SCHEMA.keys():
        raise KeyError(f"no such event column: {', '.join(sorted(unknown))}")
    columns = {
        name: pl.Series(name, [row.get(name) for row in rows], dtype, strict=True)
        for name, dtype in EVENT_SCHEMA.items()
        if name in used
    }
    return conform(pl.DataFrame(columns, height=len(rows)))


def conform(events: pl.DataFrame) -> pl.DataFrame:
    """Give a frame exactly the event columns: absent ones are added as null, unknown ones dropped."""
    if events.is_empty():  # literals alone would make one row of nothing
        return pl.DataFrame(schema=EVENT_SCHEMA)
    return events.select(
        pl.col(name).cast(dtype) if name in events.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in EVENT_SCHEMA.items()
    )


def with_missing(events: pl.DataFrame) -> pl.DataFrame:
    """Add the event columns that a frame was read without, as null."""
    return events.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in EVENT_SCHEMA.items() if name not in events.columns
    )
