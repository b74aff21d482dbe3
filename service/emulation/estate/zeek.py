"""Zeek conn, dns, ssl and http rows, as JSON lines and as tab-separated logs with their headers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from service.emulation.estate.ids import flow_uids

_ENDS = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port",
}  # fmt: skip
FIELDS = {
    "conn": _ENDS | {
        "proto": "enum", "service": "string", "duration": "interval", "orig_bytes": "count", "resp_bytes": "count",
        "conn_state": "string", "local_orig": "bool", "local_resp": "bool", "missed_bytes": "count",
        "history": "string", "orig_pkts": "count", "orig_ip_bytes": "count", "resp_pkts": "count",
        "resp_ip_bytes": "count",
    },
    "dns": _ENDS | {
        "proto": "enum", "trans_id": "count", "rtt": "interval", "query": "string", "qclass": "count",
        "qclass_name": "string", "qtype": "count", "qtype_name": "string", "rcode": "count", "rcode_name": "string",
        "AA": "bool", "TC": "bool", "RD": "bool", "RA": "bool", "Z": "count", "answers": "vector[string]",
        "TTLs": "vector[interval]", "rejected": "bool",
    },
    "ssl": _ENDS | {
        "version": "string", "cipher": "string", "curve": "string", "server_name": "string", "resumed": "bool",
        "next_protocol": "string", "established": "bool", "ja3": "string", "ja3s": "string", "ja4": "string",
        "subject": "string", "issuer": "string", "validation_status": "string",
    },
    "http": _ENDS | {
        "trans_depth": "count", "method": "string", "host": "string", "uri": "string", "referrer": "string",
        "version": "string", "user_agent": "string", "request_body_len": "count", "response_body_len": "count",
        "status_code": "count", "status_msg": "string", "tags": "set[enum]",
    },
}  # fmt: skip
_DTYPES: dict[str, type[pl.DataType]] = {
    "time": pl.Float64, "interval": pl.Float64, "count": pl.Int64, "port": pl.Int32, "bool": pl.Boolean,
}  # fmt: skip
_DERIVED = {
    "local_orig", "local_resp", "missed_bytes", "history", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes",
    "trans_depth", "tags", "qclass", "qclass_name", "Z", "AA", "TC", "RD", "RA", "TTLs", "rejected",
    "status_msg", "rcode_name", "qtype",
}  # fmt: skip
# What is kept of a row until it is written; the rest follows from it. A list is kept as its items with LIST between.
KEPT: dict[str, dict[str, type[pl.DataType]]] = {
    log: {name: _DTYPES.get(kind, pl.String) for name, kind in fields.items() if name not in _DERIVED}
    | {"uid": pl.Int64}
    for log, fields in FIELDS.items()
}
KEPT["conn"]["packets"] = pl.Int64
LIST = "\x1f"
_INTERNAL = r"^(10\.|172\.(1[6-9]|2\d|3[01])\.|192\.168\.)"
_HISTORY = {
    "SF": "ShADadFf", "S0": "S", "REJ": "Sr", "RSTO": "ShADadR", "RSTR": "ShADadr", "S1": "ShADad", "OTH": "DadA",
    "SH": "ShAF",
}  # fmt: skip
_QTYPES = {"A": 1, "AAAA": 28, "TXT": 16, "CNAME": 5, "NULL": 10, "PTR": 12}
_STATUS = {
    200: "OK", 201: "Created", 204: "No Content", 302: "Found", 304: "Not Modified", 404: "Not Found",
    401: "Unauthorized", 500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


def header(log: str, opened: str) -> str:
    return (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
        f"#path\t{log}\n#open\t{opened}\n#fields\t"
        + "\t".join(FIELDS[log])
        + "\n#types\t"
        + "\t".join(FIELDS[log].values())
        + "\n"
    )


_NAMING = {"query", "answers", "server_name", "host", "user_agent", "subject", "issuer"}


def complete(log: str, kept: pl.DataFrame, key: int, names: dict[str, str]) -> pl.DataFrame:
    """Give rows all their fields, and the estate's own names in the place of others."""
    uid = pl.Series("uid", flow_uids(kept["uid"].to_numpy(), key)).cast(pl.String)
    own = [pl.col(name).str.replace_many(names) for name in kept.columns if name in _NAMING]
    return kept.with_columns(uid).with_columns(*own, *_COMPLETE[log]()).select(list(FIELDS[log]))


def _conn() -> list[pl.Expr]:
    state, udp, packets = pl.col("conn_state"), pl.col("proto") == "udp", pl.col("packets")
    dead = state.is_in(["S0", "REJ"])
    sent, received = (pl.when(dead).then(0).otherwise(pl.col(name)) for name in ("orig_bytes", "resp_bytes"))
    spoken, heard = 1 + sent // 1400, pl.when(received > 0).then(1 + received // 1400).otherwise(0)
    out: pl.Expr = pl.when(udp).then(spoken).otherwise(4 + sent // 1100)
    out = pl.when(state == "S0").then(3).when(dead).then(1).otherwise(out)
    back: pl.Expr = pl.when(udp).then(heard).otherwise(3 + received // 1350)
    back = pl.when(state == "REJ").then(1).when(dead).then(0).otherwise(back)
    out, back = pl.coalesce(packets, out), pl.coalesce(packets, back)
    history = pl.when(pl.col("proto") == "tcp").then(state.replace_strict(_HISTORY)).when(udp).then(pl.lit("Dd"))
    unknown = state == "S0"  # nothing came back: Zeek sets neither duration nor bytes
    return [
        pl.when(~dead).then(pl.col("service")).alias("service"),
        pl.when(~unknown).then(pl.col("duration")).alias("duration"),
        pl.when(~unknown).then(sent).alias("orig_bytes"), pl.when(~unknown).then(received).alias("resp_bytes"),
        pl.col("id.orig_h").str.contains(_INTERNAL).alias("local_orig"),
        pl.col("id.resp_h").str.contains(_INTERNAL).alias("local_resp"),
        pl.lit(0).alias("missed_bytes"), history.alias("history"),  # Zeek keeps none for ICMP
        out.alias("orig_pkts"), (sent + 40 * out).alias("orig_ip_bytes"),
        back.alias("resp_pkts"), (received + 40 * back).alias("resp_ip_bytes"),
    ]  # fmt: skip


def _dns() -> list[pl.Expr]:
    answers = pl.col("answers")
    return [
        pl.lit(1).alias("qclass"), pl.lit("C_INTERNET").alias("qclass_name"), pl.lit(0).alias("Z"),
        pl.col("qtype_name").replace_strict(_QTYPES).alias("qtype"),
        *(pl.lit(value=False).alias(name) for name in ("AA", "TC", "rejected")),
        *(pl.lit(value=True).alias(name) for name in ("RD", "RA")),
        pl.when(pl.col("rcode") == 0).then(pl.lit("NOERROR")).otherwise(pl.lit("NXDOMAIN")).alias("rcode_name"),
        answers.str.replace_all(f"[^{LIST}]+", "60.0").alias("TTLs"),
    ]  # fmt: skip


def _http() -> list[pl.Expr]:
    return [
        pl.lit(1).alias("trans_depth"), pl.lit("").alias("tags"),
        pl.col("status_code").replace_strict(_STATUS).alias("status_msg"),
    ]  # fmt: skip


_COMPLETE: dict[str, Callable[[], list[pl.Expr]]] = {"conn": _conn, "dns": _dns, "ssl": list, "http": _http}


def _seconds(name: str) -> pl.Expr:
    micros = (pl.col(name) * 1e6).round(0).cast(pl.Int64)
    return pl.concat_str(micros // 1_000_000, pl.lit("."), (micros % 1_000_000).cast(pl.String).str.zfill(6))


def json_lines(log: str, rows: pl.DataFrame) -> pl.Series:
    cells = []
    for name, kind in FIELDS[log].items():
        value, left, right = pl.col(name), "", ""
        if kind in {"time", "interval"}:
            value = _seconds(name)
        elif kind in {"vector[string]", "vector[interval]", "set[enum]"}:
            between = '","' if kind == "vector[string]" else ","
            left, right = ('["', '"]') if kind == "vector[string]" else ("[", "]")
            value = value.str.replace_all(LIST, between, literal=True)
        elif kind in {"string", "addr", "enum"}:
            left = right = '"'
            if kind == "string":
                value = value.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
        start = "{" if name == "ts" else ","
        cells.append(pl.concat_str(pl.lit(f'{start}"{name}":{left}'), value, pl.lit(right)))
    return rows.select(pl.concat_str(*cells, pl.lit("}"), ignore_nulls=True).alias("line"))["line"]


def tsv(log: str, rows: pl.DataFrame) -> pl.Series:
    cells = []
    for name, kind in FIELDS[log].items():
        value = pl.col(name)
        if kind in {"time", "interval"}:
            value = _seconds(name)
        elif kind == "bool":
            value = pl.when(value).then(pl.lit("T")).when(~value).then(pl.lit("F"))
        elif kind == "vector[interval]":
            value = value.str.replace_all("60.0", "60.000000", literal=True)
        elif kind == "set[enum]":
            value = pl.lit("(empty)")
        elif kind == "string":
            value = value.str.replace_all("\t", "\\x09", literal=True)
        if kind.startswith("vector"):
            value = value.str.replace_all(LIST, ",", literal=True)
        cells.append(value.cast(pl.String).fill_null("-"))
    return rows.select(pl.concat_str(*cells, separator="\t").alias("line"))["line"]


def written_at(log: str) -> pl.Expr:
    """Zeek writes a connection when it ends, so conn.log is not in order of its first field."""
    if log != "conn":
        return pl.col("ts")
    return pl.col("ts") + pl.when(pl.col("conn_state") == "S0").then(0.0).otherwise(pl.col("duration").fill_null(0.0))


def column(pieces: list[tuple[Any, int]], dtype: type[pl.DataType], name: str) -> pl.Series:
    """Join the pieces of a column, each an array or one value for so many rows."""
    if dtype == pl.String:
        texts: list[str | None] = []
        for value, count in pieces:
            texts += value.tolist() if isinstance(value, np.ndarray) else [value] * count
        return pl.Series(name, texts, dtype=pl.String)
    if all(value is None for value, _ in pieces):
        return pl.repeat(None, sum(count for _, count in pieces), dtype=dtype, eager=True).alias(name)
    known = [(np.nan if value is None else value, count) for value, count in pieces]
    parts = [value if isinstance(value, np.ndarray) else np.full(count, value) for value, count in known]
    return pl.Series(name, np.concatenate(parts), nan_to_null=True).cast(dtype)
