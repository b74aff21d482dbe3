# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
"""Zeek conn, dns, ssl and http rows, as JSON lines and as tab-separated logs with their headers."""

from collections.abc import Iterable, Sequence
from typing import Any

Row = Sequence[Any]

CONN = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "local_orig",
    "local_resp",
    "missed_bytes",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
]
DNS = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "trans_id",
    "rtt",
    "query",
    "qclass",
    "qclass_name",
    "qtype",
    "qtype_name",
    "rcode",
    "rcode_name",
    "AA",
    "TC",
    "RD",
    "RA",
    "Z",
    "answers",
    "TTLs",
    "rejected",
]
SSL = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "version",
    "cipher",
    "curve",
    "server_name",
    "resumed",
    "next_protocol",
    "established",
    "ja3",
    "ja3s",
    "ja4",
    "subject",
    "issuer",
    "validation_status",
]
HTTP = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "trans_depth",
    "method",
    "host",
    "uri",
    "referrer",
    "version",
    "user_agent",
    "request_body_len",
    "response_body_len",
    "status_code",
    "status_msg",
    "tags",
]
FIELDS = {"conn": CONN, "dns": DNS, "ssl": SSL, "http": HTTP}

_TYPES = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port",
    "proto": "enum", "duration": "interval", "orig_bytes": "count", "resp_bytes": "count", "local_orig": "bool",
    "local_resp": "bool", "missed_bytes": "count", "orig_pkts": "count", "orig_ip_bytes": "count", "resp_pkts": "count",
    "resp_ip_bytes": "count", "trans_id": "count", "rtt": "interval", "qclass": "count", "qtype": "count",
    "rcode": "count", "AA": "bool", "TC": "bool", "RD": "bool", "RA": "bool", "Z": "count", "answers": "vector[string]",
    "TTLs": "vector[interval]", "rejected": "bool", "resumed": "bool", "established": "bool", "trans_depth": "count",
    "request_body_len": "count", "response_body_len": "count", "status_code": "count", "tags": "set[enum]",
}  # fmt: skip
_FLOATS = {"ts", "duration", "rtt"}
_STRINGS = {
    field for fields in FIELDS.values() for field in fields if _TYPES.get(field, "string") in {"string", "addr", "enum"}
}


def _plain(value: Any) -> str:
    if value is None:
        return "-"
    if value is True or value is False:
        return "T" if value else "F"
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, list):
        return ",".join(map(_plain, value)) if value else "(empty)"
    return str(value).replace("\t", "\\x09")


def header(log: str, opened: str) -> str:
    fields = FIELDS[log]
    types = "\t".join(_TYPES.get(field, "string") for field in fields)
    return (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
        f"#path\t{log}\n#open\t{opened}\n#fields\t" + "\t".join(fields) + f"\n#types\t{types}\n"
    )


def tsv(rows: Iterable[Row]) -> str:
    return "".join("\t".join(map(_plain, row)) + "\n" for row in rows)


def _json_cell(field: str, value: Any) -> str:
    if value is True or value is False:
        return f'"{field}":true' if value else f'"{field}":false'
    if field in _STRINGS:
        text = str(value)
        if '"' in text or "\\" in text:
            text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{field}":"{text}"'
    if field in _FLOATS:
        return f'"{field}":{value:.6f}'
    if isinstance(value, list):
        cells = [f'"{item}"' if isinstance(item, str) else str(item) for item in value]
        return f'"{field}":[{",".join(cells)}]'
    return f'"{field}":{value}'


def _conn_json(row: Row) -> str:
    (
        ts,
        uid,
        src,
        sport,
        dst,
        dport,
        proto,
        service,
        duration,
        sent,
        got,
        state,
        lo,
        lr,
        missed,
        history,
        op,
        ob,
        rp,
        rb,
    ) = row
    middle = f'"service":"{service}",' if service else ""
    past = f'"history":"{history}",' if history else ""
    if duration is not None:
        middle += f'"duration":{duration:.6f},"orig_bytes":{sent},"resp_bytes":{got},'
    return (
        f'{{"ts":{ts:.6f},"uid":"{uid}","id.orig_h":"{src}","id.orig_p":{sport},"id.resp_h":"{dst}","id.resp_p":{dport},'
        f'"proto":"{proto}",{middle}"conn_state":"{state}","local_orig":{"true" if lo else "false"},'
        f'"local_resp":{"true" if lr else "false"},"missed_bytes":{missed},{past}"orig_pkts":{op},'
        f'"orig_ip_bytes":{ob},"resp_pkts":{rp},"resp_ip_bytes":{rb}}}\n'
    )


def json_lines(log: str, rows: Iterable[Row]) -> str:
    if log == "conn":
        return "".join(map(_conn_json, rows))
    fields = FIELDS[log]
    out = []
    for row in rows:
        cells = [_json_cell(field, value) for field, value in zip(fields, row, strict=True) if value is not None]
        out.append("{" + ",".join(cells) + "}\n")
    return "".join(out)
