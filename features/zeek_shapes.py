"""Zeek's logs many records at a time: the same rows as `features.sources.zeek` makes one by one."""

from collections.abc import Callable, Mapping

import polars as pl

from features.events import TIME as MICROSECONDS
from features.fields import LARGEST
from features.shapes import (
    ABSENT,
    NEEDED_TEXT,
    NEEDED_TRUTH,
    NEEDED_WHOLE,
    NUMBER,
    PORT,
    STATUS,
    TEXT,
    TEXTS,
    TIME,
    WHOLE,
    Field,
    Fields,
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
    "dns": {
        "conn_state": ABSENT,
        "trans_id": NEEDED_WHOLE,
        "query": NEEDED_TEXT,
        "qtype_name": TEXT,
        "rcode_name": TEXT,
        "answers": TEXTS,
    },
    "http": {
        "conn_state": ABSENT,
        "trans_id": ABSENT,
        "call_id": ABSENT,
        "trans_depth": NEEDED_WHOLE,
        "method": NEEDED_TEXT,
        "host": TEXT,
        "uri": TEXT,
        "user_agent": TEXT,
        "status_code": STATUS,
        "request_body_len": WHOLE,
        "response_body_len": WHOLE,
    },
    "ssl": {
        "conn_state": ABSENT,
        "trans_id": ABSENT,
        "trans_depth": ABSENT,
        "established": NEEDED_TRUTH,
        "server_name": TEXT,
        "version": TEXT,
        "ja3": TEXT,
        "ja4": TEXT,
        "next_protocol": TEXT,
        "alpn": TEXT,
    },
}


def shape(log: str, separator: str) -> Shape:
    """Declare a log whose endpoints are spelt `id.orig_h` or `id_orig_h`."""
    ends = {end: f"id{separator}{end}" for end in ("orig_h", "orig_p", "resp_h", "resp_p")}
    fields = Fields(
        {
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
    )

    def events(records: pl.DataFrame, host: str | None) -> pl.DataFrame:
        rows = _LOGS[log](_connections(records.rename({spelt: end for end, spelt in ends.items()})))
        return rows.with_columns(host=pl.lit(host, pl.String))

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
        fits=is_ascii(pl.col("proto")) & (pl.col("ts") >= 0),
    ).with_columns(fits=pl.col("fits") & pl.all_horizontal(pl.col("uid", "src_ip", "dst_ip").is_not_null()))


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


def _dns(records: pl.DataFrame) -> pl.DataFrame:
    said = pl.col("answers").list.eval(pl.element().filter(pl.element() != ""))
    return records.with_columns(
        text("query").str.to_lowercase(),
        text("qtype_name").alias("qtype"),
        text("rcode_name").alias("rcode"),
        pl.lit("dns").alias("kind"),
        answers=said.fill_null([]),
        fits=pl.col("fits") & is_ascii(pl.col("query")),
    ).with_columns(record_id=_identity("dns", "trans_id", "query", "qtype"))


def _http(records: pl.DataFrame) -> pl.DataFrame:
    host = text("host").str.to_lowercase()
    one_colon = host.str.count_matches(":", literal=True) == 1
    return records.with_columns(
        text("method"),
        text("uri"),
        text("user_agent"),
        pl.lit("http").alias("kind"),
        server_name=pl.when(one_colon).then(host.str.extract("^([^:]*):")).otherwise(host),
        status="status_code",
        bytes_out="request_body_len",
        bytes_in="response_body_len",
        fits=pl.col("fits") & is_ascii(pl.col("host")),
    ).with_columns(record_id=_identity("http", "trans_depth", "method", "uri"))


def _tls(records: pl.DataFrame) -> pl.DataFrame:
    return records.with_columns(
        text("server_name").str.to_lowercase(),
        text("ja3"),
        text("ja4"),
        text("version").alias("tls_version"),
        pl.coalesce(text("next_protocol"), text("alpn")).alias("alpn"),
        pl.lit("tls").alias("kind"),
        record_id=_identity("tls"),
        fits=pl.col("fits") & is_ascii(pl.col("server_name")),
    )


def _possible(seconds: pl.Expr) -> pl.Expr:
    return seconds.is_between(0, LARGEST, closed="left").fill_null(value=True)


def _identity(kind: str, *parts: str) -> pl.Expr:
    columns = [pl.col(part).cast(pl.String).fill_null("") for part in parts]
    return pl.concat_str([pl.col("uid"), pl.lit(kind), *columns], separator=" ")


_LOGS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "conn": _flow,
    "dns": _dns,
    "http": _http,
    "ssl": _tls,
}
TABLES: Mapping[str, Shape] = {log: shape(log, ".") for log in _LOGS}
SHAPES = (*TABLES.values(), *(shape(log, "_") for log in _LOGS))
