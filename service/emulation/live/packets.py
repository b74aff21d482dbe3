"""Reads packets of the emulation's own networks into the rows that Zeek would write: conn, http, dns and ssl."""

import json
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any, Self

from service.emulation.live.flows import ACK, SYN, Flow
from service.emulation.live.payloads import client_hello, dns_question, http_request

ETHERNET, IPV4 = 14, 0x0800
TCP, UDP, ICMP = 6, 17, 1
PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmp"}
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
IDLE_SECONDS = 60.0
Row = dict[str, Any]


class Packets:
    """Listens on bridges until closed, then writes the logs; only root may listen.

    Parameters
    ----------
    folder
        Where `conn.log`, `http.log`, `dns.log` and `ssl.log` go, as NDJSON.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.flows: list[Flow] = []
        self.rows: dict[str, list[Row]] = {"http": [], "dns": [], "ssl": []}
        self._open: dict[tuple[str, frozenset[tuple[str, int]]], Flow] = {}
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(5)
        for name, rows in {"conn": [flow.conn() for flow in self.flows], **self.rows}.items():
            if rows:
                lines = [json.dumps(row, separators=(",", ":")) + "\n" for row in rows]
                (self.folder / f"{name}.log").write_text("".join(lines))

    def listen(self, bridge: str) -> None:
        """Listen on a bridge from now on.

        Raises
        ------
        OSError
            If that is not allowed, or the bridge is not on this machine.
        """
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4))
        tap.bind((bridge, IPV4))
        wish = struct.pack("iHH8s", socket.if_nametoindex(bridge), PACKET_MR_PROMISC, 0, b"")
        tap.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, wish)
        tap.settimeout(0.2)
        thread = threading.Thread(target=self._read, args=(tap,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, tap: socket.socket) -> None:
        with tap:
            while not self._closing.is_set():
                try:
                    packet = tap.recv(65_535)
                except TimeoutError:
                    continue
                except OSError:
                    return  # the bridge is gone
                with self._lock:
                    self.take(time.time(), packet[ETHERNET:])

    def take(self, moment: float, packet: bytes) -> None:
        """Count one IPv4 packet."""
        proto = PROTOCOLS.get(packet[9])
        if proto is None:
            return
        start, length = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
        source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        ports, flags, payload = _transport(proto, packet[start:length])
        key = (
            proto,
            frozenset({(source, ports[0]), (target, ports[1])} if proto != "icmp" else {(source, 0), (target, 0)}),
        )
        flow = self._open.get(key)
        if flow is None or moment - flow.last > IDLE_SECONDS or (proto == "tcp" and flags & (SYN | ACK) == SYN):
            ends = ((source, ports[0]), (target, ports[1]))
            flow = self._open[key] = Flow(proto, *ends[0], *ends[1], moment)
            self.flows.append(flow)
        side = flow.add(moment, source, ports[0] if proto != "icmp" else flow.source_port, len(payload), length, flags)
        if payload:
            self._content(flow, moment, side, payload)

    def _content(self, flow: Flow, moment: float, side: int, payload: bytes) -> None:
        """Look at the first payload of each side, which says what is spoken."""
        seen = f"{flow.uid}{side}"
        if seen in self._seen and flow.proto != "udp":
            return
        self._seen.add(seen)
        row: Row = {"ts": moment, **flow.identity()}
        if flow.proto == "udp" and 53 in {flow.target_port, flow.source_port} and (found := dns_question(payload)):  # noqa: PLR2004
            flow.services.add("dns")
            if side == 0:
                self.rows["dns"].append(row | {"proto": "udp", **found})
            else:
                asked = next((r for r in reversed(self.rows["dns"]) if r["trans_id"] == found["trans_id"]), {})
                asked |= {key: found[key] for key in ("rcode", "rcode_name", "answers", "TTLs") if key in found}
        elif side == 0 and (found := http_request(payload)):
            flow.services.add("http")
            self.rows["http"].append(row | found)
        elif side == 0 and (found := client_hello(payload)):
            self.rows["ssl"].append(row | found)
        elif side == 1 and payload[:1] == b"\x16":
            flow.services.add("ssl")
            for hello in self.rows["ssl"]:
                if hello["uid"] == flow.uid:
                    hello["established"] = True


def _transport(proto: str, segment: bytes) -> tuple[tuple[int, int], int, bytes]:
    if proto == "icmp":
        return (segment[0], segment[1]), 0, segment[8:]
    ports = (int.from_bytes(segment[0:2], "big"), int.from_bytes(segment[2:4], "big"))
    if proto == "udp":
        return ports, 0, segment[8:]
    return ports, segment[13], segment[(segment[12] >> 4) * 4 :]
