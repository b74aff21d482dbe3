"""Zeek's logs many records at a time: the same rows as `features.sources.zeek` makes one by one."""

from collections.abc import Callable, Mapping

import polars as pl

from features.events import TIME as MICROSECONDS
from features.fields import LARGEST
from features.shapes import (
    ABSENT,
    NEEDED_TEXT,
    NUMBER,
    PORT,
    TEXT,
    TIME,
    WHOLE,
    Field,
    Shape,
    canonical,
    is_ascii,
    only,
    text,
)

# A record that does not name its log is told by its fields, in the order conn, dns, http, ssl.
FIELDS: Mapping[str, Mapping[str, Field]] = {
    "conn": {
        "conn_state": NEEDED_TEXT,
        "service": TEXT,
        "orig_bytes": WHOLE,
        "resp_bytes": WHOLE,
        "duration": NUMBER,
    },
}


def shape(log: str, separator: str) -> Shape:
    """Declare a log whose endpoints are spelt `id.orig_h` or `id_orig_h`."""
    ends = {end: f"id{separator}{end}" for end in ("orig_h", "orig_p", "resp_h", "resp_p")}
    fields = {
        **({"id.orig_h": ABSENT} if separator == "_" else {}),
        "_path": only(log),
        "@stream": only(log),
        "ts": TIME,
        "uid": NEEDED_TEXT,
        ends["orig_h"]: NEEDED_TEXT,
        ends["orig_p"]: PORT,
        ends["resp_h"]: NEEDED_TEXT,
        ends["resp_p"]: PORT,
        "proto": TEXT,
        **FIELDS[log],
    }

    def events(records: pl.DataFrame) -> pl.DataFrame:
        return _LOGS[log](_connections(records.rename({spelt: end for end, spelt in ends.items()})))

    return Shape(fields, events)


def _connections(records: pl.DataFrame) -> pl.DataFrame:
    """Replace what all logs share by its event columns."""
    return records.with_columns(
        pl.col("ts").cast(MICROSECONDS),
        text("uid"),
        canonical(records["orig_h"]).alias("src_ip"),
        canonical(records["resp_h"]).alias("dst_ip"),
        pl.col("orig_p").alias("src_port"),
        pl.col("resp_p").alias("dst_port"),
        pl.col("proto").str.to_lowercase(),
        fits=is_ascii(pl.col("proto")),
    ).with_columns(fits=pl.col("fits") & pl.all_horizontal(pl.col("ts", "uid", "src_ip", "dst_ip").is_not_null()))


def _flow(records: pl.DataFrame) -> pl.DataFrame:
    return records.with_columns(
        text("service").str.to_lowercase(),
        text("conn_state"),
        pl.lit("flow").alias("kind"),
        bytes_out="orig_bytes",
        bytes_in="resp_bytes",
        record_id=_identity("flow"),
        fits=pl.col("fits") & is_ascii(pl.col("service")) & _possible(pl.col("duration")),
    )


def _possible(seconds: pl.Expr) -> pl.Expr:
    return seconds.is_between(0, LARGEST, closed="left").fill_null(value=True)


def _identity(kind: str, *parts: str) -> pl.Expr:
    columns = [pl.col(part).cast(pl.String).fill_null("") for part in parts]
    return pl.concat_str([pl.col("uid"), pl.lit(kind), *columns], separator=" ")


_LOGS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = {"conn": _flow}
SHAPES = tuple(shape(log, separator) for separator in "._" for log in _LOGS)
