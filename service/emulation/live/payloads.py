"""What the first bytes of a connection say: an HTTP request, a TLS hello, a DNS message."""

import contextlib
import socket
import struct
from typing import Any

QTYPES = {1: "A", 16: "TXT", 28: "AAAA", 12: "PTR", 5: "CNAME"}
RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
METHODS = ("GET", "POST", "PUT", "HEAD")
SERVER_NAME = 0
Row = dict[str, Any]


def http_request(payload: bytes) -> Row | None:
    r"""Read the head of an HTTP request.

    Examples
    --------
    >>> http_request(b"GET /a HTTP/1.1\r\nHost: b.example\r\nUser-Agent: c\r\n\r\n")["host"]
    'b.example'
    """
    first, *rest = payload.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != len(("method", "uri", "version")) or words[0] not in METHODS or not words[2].startswith("HTTP/"):
        return None
    headers = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in rest)}
    named = {"host": "host", "user_agent": "user-agent", "referrer": "referer"}
    row: Row = {"trans_depth": 1, "method": words[0], "uri": words[1], "version": words[2][5:]}
    return row | {key: headers[header] for key, header in named.items() if header in headers}


def dns_question(payload: bytes) -> Row | None:
    """Read a DNS message: its question, and the addresses or the code of an answer."""
    with contextlib.suppress(IndexError, struct.error, UnicodeDecodeError):
        identity, flags, questions, answers = struct.unpack(">HHHH", payload[:8])
        if questions != 1:
            return None
        labels, at = [], 12
        while payload[at]:
            labels.append(payload[at + 1 : at + 1 + payload[at]].decode("ascii"))
            at += 1 + payload[at]
        kind = struct.unpack(">H", payload[at + 1 : at + 3])[0]
        row: Row = {"trans_id": identity, "query": ".".join(labels), "qtype": kind, "qtype_name": QTYPES.get(kind, "*")}
        if flags & 0x8000:
            row |= {"rcode": flags & 15, "rcode_name": RCODES.get(flags & 15, "*")}
            if answers:
                data = payload[at + 5 + 12 :]
                shown = socket.inet_ntoa(data[:4]) if kind == 1 else f"TXT {len(data) - 1} {data[1:].decode('latin-1')}"
                row |= {"answers": [shown], "TTLs": [60.0]}
        return row
    return None


def client_hello(payload: bytes) -> Row | None:
    """Read the server name of a TLS hello; a hello without one is one, too."""
    if payload[:2] != b"\x16\x03" or payload[5:6] != b"\x01":
        return None
    row: Row = {"established": False, "resumed": False}
    with contextlib.suppress(IndexError, struct.error, UnicodeDecodeError):
        at = 43
        at += 1 + payload[at]
        at += 2 + struct.unpack(">H", payload[at : at + 2])[0]
        at += 1 + payload[at]
        end = at + 2 + struct.unpack(">H", payload[at : at + 2])[0]
        at += 2
        while at + 4 <= end:
            kind, size = struct.unpack(">HH", payload[at : at + 4])
            if kind == SERVER_NAME:
                row["server_name"] = payload[at + 9 : at + 4 + size].decode("ascii")
            at += 4 + size
    return row
