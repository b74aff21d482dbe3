"""Turn packets into the records Zeek would write: conn, dns, ssl and http in Zeek's JSON names, by way of tshark."""

import csv
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from service.emulation.live.flows import ACK, SYN, Flow

FIELDS = """
    frame.time_epoch ip.src ip.dst ip.proto ip.len tcp.srcport tcp.dstport tcp.stream tcp.flags tcp.len udp.srcport
    udp.dstport udp.stream udp.length icmp.type icmp.code dns.id dns.qry.name dns.qry.type dns.flags.response
    dns.flags.rcode dns.a dns.txt dns.resp.ttl http.request.method http.request.uri http.host http.user_agent
    http.referer http.response.code http.content_length tls.handshake.type tls.handshake.extensions_server_name
    tls.handshake.ja3 tls.handshake.ja3s tls.handshake.ciphersuite tls.handshake.version
    tls.handshake.extensions.supported_version tls.handshake.extensions_alpn_str tls.record.content_type
    tls.record.opaque_type
""".split()  # noqa: SIM905 (a list of forty lines would be no clearer)
QTYPES = {"1": "A", "28": "AAAA", "16": "TXT", "12": "PTR", "5": "CNAME"}
RCODES = {"0": "NOERROR", "2": "SERVFAIL", "3": "NXDOMAIN", "5": "REFUSED"}
VERSIONS = {0x0301: "TLSv10", 0x0302: "TLSv11", 0x0303: "TLSv12", 0x0304: "TLSv13"}
CIPHERS = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0xC02B: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    0xC02C: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    0xCCA9: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}
# Zeek ends a UDP session after a minute of silence; a stretched minute is about this long.
IDLE_SECONDS = 1.0
Row = dict[str, str]
Record = dict[str, Any]


def packets(pcap: Path) -> Iterator[Row]:
    """Yield the fields of each packet; a field that occurs more than once is joined with commas."""
    options = [word for name in FIELDS for word in ("-e", name)]
    command = [
        "nice",
        "-n",
        "10",
        "tshark",
        "-n",
        "-r",
        str(pcap),
        "-d",
        "tcp.port==9100,http",
        "-d",
        "tcp.port==9090,http",
        "-T",
        "fields",
        "-E",
        "separator=/t",
        "-E",
        "quote=n",
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield from csv.DictReader(process.stdout or (), fieldnames=FIELDS, delimiter="\t", quoting=csv.QUOTE_NONE)
    if process.returncode != 0:
        raise RuntimeError(f"tshark ended with {process.returncode} on {pcap}")


class Journal:
    """The four logs, filled packet by packet."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self._open: dict[tuple[str, ...], Flow] = {}
        self.dns: list[Record] = []
        self.http: list[Record] = []
        self.ssl: dict[str, Record] = {}
        self._asked: dict[tuple[str, str, str], Record] = {}
        self._requests: dict[str, Record] = {}

    def read(self, pcap: Path) -> None:
        """Add every packet of one file."""
        for row in packets(pcap):
            self._packet(pcap.stem, row)

    def _packet(self, bridge: str, row: Row) -> None:
        proto = {"6": "tcp", "17": "udp", "1": "icmp"}.get(first(row["ip.proto"]))
        if proto is None:
            return
        source, target = first(row["ip.src"]), first(row["ip.dst"])
        ports = _ports(proto, row)
        stream = first(row[f"{proto}.stream"]) if proto != "icmp" else f"{source}>{target}:{ports}"
        flags = int(first(row["tcp.flags"]) or "0", 16) if proto == "tcp" else 0
        time = float(row["frame.time_epoch"])
        key = (bridge, proto, stream)
        flow = self._open.get(key)
        if flow is None or (proto != "tcp" and time - flow.last > IDLE_SECONDS):
            ends = ((source, ports[0]), (target, ports[1]))
            if flags & SYN and flags & ACK:
                ends = ends[::-1]
            flow = self._open[key] = Flow(proto, *ends[0], *ends[1], time)
            self.flows.append(flow)
        side = flow.add(time, source, ports[0], _payload(proto, row), int(first(row["ip.len"])), flags)
        if row["dns.id"] and proto == "udp":
            self._dns(flow, time, row)
        if row["http.request.method"] or row["http.response.code"]:
            self._http(flow, time, row)
        if row["tls.handshake.type"] or row["tls.record.content_type"] or row["tls.record.opaque_type"]:
            self._tls(flow, time, row, side)

    def _dns(self, flow: Flow, time: float, row: Row) -> None:
        flow.services.add("dns")
        key = (flow.uid, row["dns.id"], row["dns.qry.name"] + row["dns.qry.type"])
        if row["dns.flags.response"] in {"0", "False"}:
            record: Record = {
                "ts": time,
                **flow.identity(),
                "proto": "udp",
                "trans_id": int(row["dns.id"], 16),
                "query": first(row["dns.qry.name"]),
                "qclass": 1,
                "qclass_name": "C_INTERNET",
                "qtype": int(first(row["dns.qry.type"])),
                "qtype_name": QTYPES.get(first(row["dns.qry.type"]), "*"),
                "AA": False,
                "TC": False,
                "RD": True,
                "RA": False,
                "Z": 0,
                "rejected": False,
            }
            self._asked[key] = record
            self.dns.append(record)
        elif key in self._asked:
            record = self._asked[key]
            code = row["dns.flags.rcode"]
            record |= {
                "rtt": round(time - record["ts"], 6),
                "rcode": int(code),
                "rcode_name": RCODES.get(code, "*"),
                "RA": True,
            }
            answers = [
                *filter(None, row["dns.a"].split(",")),
                *(f"TXT {len(text)} {text}" for text in [row["dns.txt"]] if text),
            ]
            if answers:
                record["answers"] = answers
                record["TTLs"] = [float(ttl) for ttl in row["dns.resp.ttl"].split(",")]

    def _http(self, flow: Flow, time: float, row: Row) -> None:
        flow.services.add("http")
        length = int(first(row["http.content_length"]) or 0)
        if row["http.request.method"]:
            record: Record = {
                "ts": time,
                **flow.identity(),
                "trans_depth": 1,
                "method": row["http.request.method"],
                "host": row["http.host"],
                "uri": row["http.request.uri"],
                "version": "1.1",
                "user_agent": row["http.user_agent"],
                "request_body_len": length,
                "response_body_len": 0,
                "tags": [],
            }
            if row["http.referer"]:
                record["referrer"] = row["http.referer"]
            self._requests[flow.uid] = record
            self.http.append(record)
        elif flow.uid in self._requests:
            code = int(row["http.response.code"])
            self._requests[flow.uid] |= {
                "status_code": code,
                "status_msg": "OK" if code == HTTPStatus.OK else "Not Found",
                "response_body_len": length,
            }

    def _tls(self, flow: Flow, time: float, row: Row, side: int) -> None:
        kinds = row["tls.handshake.type"].split(",")
        if "1" in kinds and flow.uid not in self.ssl:
            record: Record = {
                "ts": time,
                **flow.identity(),
                "resumed": False,
                "established": False,
                "ja3": row["tls.handshake.ja3"],
            }
            if row["tls.handshake.extensions_server_name"]:
                record["server_name"] = row["tls.handshake.extensions_server_name"]
            self.ssl[flow.uid] = record
            return
        record = self.ssl.get(flow.uid, {})
        if "2" in kinds and record:
            flow.services.add("ssl")
            cipher = int(first(row["tls.handshake.ciphersuite"]), 0)
            version = int(
                first(row["tls.handshake.extensions.supported_version"]) or first(row["tls.handshake.version"]), 0
            )
            record |= {
                "version": VERSIONS.get(version, "unknown"),
                "cipher": CIPHERS.get(cipher, f"unknown-{cipher}"),
                "ja3s": row["tls.handshake.ja3s"],
            }
            if row["tls.handshake.extensions_alpn_str"]:
                record["next_protocol"] = row["tls.handshake.extensions_alpn_str"]
        elif side == 0 and "version" in record:
            record["established"] = True


def first(text: str) -> str:
    """Return the first of a field's values."""
    return text.split(",", 1)[0]


def _ports(proto: str, row: Row) -> tuple[int, int]:
    if proto == "icmp":
        return int(first(row["icmp.type"])), int(first(row["icmp.code"]))
    return int(first(row[f"{proto}.srcport"])), int(first(row[f"{proto}.dstport"]))


def _payload(proto: str, row: Row) -> int:
    if proto == "tcp":
        return int(first(row["tcp.len"]) or 0)
    return int(first(row["udp.length"])) - 8 if proto == "udp" else max(int(first(row["ip.len"])) - 28, 0)
