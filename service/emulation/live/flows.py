"""Connections by Zeek's rules: state, history, byte counts, from one packet after the other."""

import base64
import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import Any

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
INTERNAL = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


def is_internal(address: str) -> bool:
    """Tell whether an address is one of RFC 1918's."""
    return any(ipaddress.ip_address(address) in network for network in INTERNAL)


@dataclass
class Flow:
    """One connection as seen so far."""

    proto: str
    source: str
    source_port: int
    target: str
    target_port: int
    first: float
    last: float = 0.0
    history: str = ""
    bytes: list[int] = field(default_factory=lambda: [0, 0])
    ip_bytes: list[int] = field(default_factory=lambda: [0, 0])
    packets: list[int] = field(default_factory=lambda: [0, 0])
    services: set[str] = field(default_factory=set)

    @property
    def uid(self) -> str:
        """Return a stable id in Zeek's form: C and 17 letters or digits."""
        key = f"{self.proto} {self.source} {self.source_port} {self.target} {self.target_port} {self.first!r}"
        text = base64.b64encode(hashlib.sha256(key.encode()).digest()).decode()
        return "C" + "".join(letter for letter in text if letter.isalnum())[:17]

    def add(self, time: float, source: str, port: int, payload: int, ip_length: int, flags: int) -> int:
        """Count one packet and return its direction: 0 from the originator, 1 from the responder."""
        side = 0 if (source, port) == (self.source, self.source_port) else 1
        self.last = time
        self.bytes[side] += payload
        self.ip_bytes[side] += ip_length
        self.packets[side] += 1
        letters = _letters(self.proto, flags, payload)
        for letter in letters if side == 0 else letters.lower():
            if letter not in self.history:
                self.history += letter
        return side

    @property
    def state(self) -> str:  # noqa: PLR0911 (one line a state)
        """Return Zeek's `conn_state`."""
        if self.proto != "tcp":
            return "OTH" if self.proto == "icmp" else ("SF" if self.packets[1] else "S0")
        seen = self.history
        if "S" not in seen:
            return "OTH"
        if "h" not in seen:
            return "REJ" if "r" in seen else "RSTOS0" if "R" in seen else "SH" if "F" in seen else "S0"
        if "F" in seen and "f" in seen:
            return "SF"
        if "R" in seen:
            return "RSTO"
        if "r" in seen:
            return "RSTR"
        return "S2" if "F" in seen else "S3" if "f" in seen else "S1"

    def identity(self) -> dict[str, Any]:
        """Return the keys that every Zeek log of this connection starts with."""
        return {
            "uid": self.uid, "id.orig_h": self.source, "id.orig_p": self.source_port,
            "id.resp_h": self.target, "id.resp_p": self.target_port,
        }  # fmt: skip

    def conn(self) -> dict[str, Any]:
        """Return the connection as a line of Zeek's conn log; absent values have no key, as in Zeek's JSON."""
        row: dict[str, Any] = {"ts": self.first, **self.identity(), "proto": self.proto}
        if self.services:
            row["service"] = ",".join(sorted(self.services))
        if self.packets[0] + self.packets[1] > 1:
            row["duration"] = round(self.last - self.first, 6)
            row["orig_bytes"], row["resp_bytes"] = self.bytes
        return row | {
            "conn_state": self.state, "local_orig": is_internal(self.source), "local_resp": is_internal(self.target),
            "missed_bytes": 0, "history": self.history, "orig_pkts": self.packets[0], "orig_ip_bytes": self.ip_bytes[0],
            "resp_pkts": self.packets[1], "resp_ip_bytes": self.ip_bytes[1],
        }  # fmt: skip


def _letters(proto: str, flags: int, payload: int) -> str:
    if proto != "tcp":
        return "D" if proto == "udp" else ""
    if flags & SYN:
        return "H" if flags & ACK else "S"
    letters = "D" if payload else ("A" if flags & ACK and not flags & (FIN | RST) else "")
    return letters + ("F" if flags & FIN else "") + ("R" if flags & RST else "")
