# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Turns arrays of connections into rows of Zeek logs that agree with each other: uid, name look-up, TLS, HTTP."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.emulation.estate.ids import Objects
from service.emulation.estate.sink import Sink
from service.emulation.estate.zeek import LIST

RESOLVER = "10.0.0.53"


@dataclass(frozen=True)
class Site:
    """A destination outside: one name and the addresses that it resolves to, taken in turns."""

    name: str
    addresses: tuple[str, ...]
    server: str = ""
    port: int = 443

    def at(self, ts: np.ndarray) -> Objects:
        salt = int(hashlib.sha256(self.name.encode()).hexdigest()[:6], 16)
        index = ((ts // 1800).astype(np.int64) * 7919 + salt) % len(self.addresses)
        return np.array(self.addresses, dtype=object)[index]


@dataclass(frozen=True)
class Client:
    """How a runtime introduces itself: TLS fingerprints and HTTP user agent."""

    agent: str
    ja3: str
    ja4: str
    version: str = "TLSv13"
    cipher: str = "TLS_AES_128_GCM_SHA256"


def client(agent: str, variant: str = "", *, old_tls: bool = False) -> Client:
    seed = hashlib.sha256(f"{agent}|{variant}".encode()).hexdigest()
    version, cipher = (
        ("TLSv12", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256") if old_tls else ("TLSv13", "TLS_AES_128_GCM_SHA256")
    )
    suites, extensions = 9 + int(seed[0], 16) % 12, 8 + int(seed[1], 16) % 9
    ja4 = f"t{12 if old_tls else 13}d{suites:02d}{extensions:02d}{'h1' if int(seed[2], 16) % 2 else 'h2'}_{seed[3:15]}_{seed[15:27]}"
    return Client(agent, hashlib.md5(seed.encode(), usedforsecurity=False).hexdigest(), ja4, version, cipher)


@dataclass
class Shape:
    """Log-normal sizes and durations with a Pareto tail: medians in bytes and seconds, spread in natural logs."""

    sent: float = 600.0
    received: float = 2_500.0
    seconds: float = 0.05
    spread: float = 0.6
    tail: float = 0.01

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shared = rng.normal(0, self.spread, count)
        boost = np.where(rng.random(count) < self.tail, 1 + rng.pareto(1.3, count) * 4, 1.0)
        sent = self.sent * np.exp(0.6 * shared + rng.normal(0, self.spread * 0.6, count))
        received = self.received * np.exp(shared + rng.normal(0, self.spread * 0.5, count)) * np.minimum(boost, 5_000)
        seconds = self.seconds * np.exp(0.5 * shared + rng.normal(0, 0.5, count)) * np.minimum(boost, 60)
        return sent.astype(np.int64) + 40, received.astype(np.int64), seconds


@dataclass
class Wire:
    sink: Sink
    rng: np.random.Generator
    resolver: str = RESOLVER
    _serial: int = 0

    def connections(
        self,
        ts: np.ndarray,
        src: Any,
        dst: Any,
        port: Any,
        *,
        sizes: tuple[Any, Any, Any],
        proto: str = "tcp",
        service: str | None = None,
        state: Any = "SF",
        sport: Any = None,
        packets: Any = None,
    ) -> tuple[np.ndarray, Any]:
        """Write conn rows; return the numbers of their uids and client ports.

        `sizes` is bytes sent, bytes received, seconds; `packets` how many each way, where they do not follow from them.
        """
        uid = np.arange(self._serial, self._serial + len(ts))
        self._serial += len(ts)
        sport = self.rng.integers(32_768, 60_999, len(ts)) if sport is None else sport
        row = {
            "ts": ts, "uid": uid, "id.orig_h": src, "id.orig_p": sport, "id.resp_h": dst, "id.resp_p": port, "proto": proto,
            "service": service, "duration": sizes[2], "orig_bytes": _whole(sizes[0]), "resp_bytes": _whole(sizes[1]),
            "conn_state": state, "packets": packets,
        }  # fmt: skip
        self.sink.rows_of("conn", row)
        return uid, sport

    def look_up(self, ts: np.ndarray, src: Any, query: Any, answer: Any, **options: Any) -> None:
        """Write DNS questions to the resolver with their conn rows; an answer of None is NXDOMAIN."""
        count = len(ts)
        if not count:
            return
        query, answer = _objects(query, count), _objects(answer, count)
        rtt = self.rng.lognormal(-6.5, 0.9, count)
        sent = np.array([len(text) for text in query]) + 30
        server, sizes = options.get("server", self.resolver), (sent, options.get("answer_bytes", 120), rtt)
        uid, sport = self.connections(ts, src, server, 53, sizes=sizes, proto="udp", service="dns")
        answers = np.empty(count, dtype=object)
        answers[:] = [LIST.join(item) if isinstance(item, list) else item for item in answer]
        row = {
            "ts": ts, "uid": uid, "id.orig_h": src, "id.orig_p": sport, "id.resp_h": server, "id.resp_p": 53, "proto": "udp",
            "trans_id": self.rng.integers(1, 65_535, count), "rtt": rtt, "query": query,
            "qtype_name": options.get("qtype", "A"), "rcode": np.where([item is None for item in answer], 3, 0),
            "answers": answers,
        }  # fmt: skip
        self.sink.rows_of("dns", row)

    def tls(self, ts: np.ndarray, src: Any, dst: Any, port: Any, **options: Any) -> None:
        """Write TLS connections: `sizes`, `who` (Client), `name` (SNI or None), optional `established`, `state`."""
        count, who = len(ts), options["who"]
        uid, sport = self.connections(
            ts, src, dst, port, sizes=options["sizes"], service="ssl", state=options.get("state", "SF")
        )
        ok = options.get("established", True)
        server = options.get("server") or hashlib.md5(str(options["name"]).encode(), usedforsecurity=False).hexdigest()
        resumed = self.rng.random(count) < (0.35 if ok else 0.0)
        subject = options.get("subject")
        row = {
            "ts": ts, "uid": uid, "id.orig_h": src, "id.orig_p": sport, "id.resp_h": dst, "id.resp_p": port,
            "version": who.version, "cipher": who.cipher if ok else None, "curve": "x25519" if ok else None,
            "server_name": options["name"], "resumed": resumed, "next_protocol": options.get("alpn"), "established": ok,
            "ja3": who.ja3, "ja3s": server if ok else None, "ja4": who.ja4, "subject": subject,
            "issuer": options.get("issuer", subject), "validation_status": options.get("validation"),
        }  # fmt: skip
        self.sink.rows_of("ssl", row)

    def http(self, ts: np.ndarray, src: Any, dst: Any, port: Any, **options: Any) -> None:
        """Write HTTP requests: `sizes`, `agent`, `host`, `uri`, optional `method`, `status`, `referrer`, `body`."""
        sizes = options["sizes"]
        uid, sport = self.connections(ts, src, dst, port, sizes=sizes, service="http")
        row = {
            "ts": ts + 0.002, "uid": uid, "id.orig_h": src, "id.orig_p": sport, "id.resp_h": dst, "id.resp_p": port,
            "method": options.get("method", "GET"), "host": options["host"], "uri": options["uri"],
            "referrer": options.get("referrer"), "version": "1.1", "user_agent": options["agent"],
            "request_body_len": _whole(options.get("sent_body", 0)), "response_body_len": _whole(_whole(sizes[1]) - 220),
            "status_code": options.get("status", 200),
        }  # fmt: skip
        self.sink.rows_of("http", row)

    def to_site(self, ts: np.ndarray, src: Any, site: Site, who: Client, sizes: Any, **options: Any) -> None:
        """Write TLS connections to a site, each address of it resolved before its first use."""
        if not len(ts):
            return
        order = np.argsort(ts)
        src, dst = _objects(src, len(ts)), site.at(ts)
        needed = self.rng.random(len(ts)) < options.pop("look_ups", 0.35)
        seen: set[tuple[str, str]] = set()
        for i in order.tolist():
            pair = (src[i], dst[i])
            if pair not in seen:
                seen.add(pair)
                needed[i] = True
        lead = self.rng.uniform(0.004, 0.06, int(needed.sum()))
        self.look_up(ts[needed] - lead, src[needed], site.name, dst[needed])
        if site.port == 80:
            self.http(ts, src, dst, 80, sizes=sizes, agent=who.agent, host=site.name, uri=options.get("uri", "/"))
        else:
            self.tls(ts, src, dst, site.port, sizes=sizes, who=who, name=site.name, server=site.server, alpn="h2")


def _objects(value: Any, count: int) -> Objects:
    if isinstance(value, np.ndarray):
        return value if value.dtype == object else value.astype(object)
    out = np.empty(count, dtype=object)
    if isinstance(value, list):
        out[:] = value
    else:
        out.fill(value)
    return out


def _whole(size: Any) -> Any:
    """Return numbers of bytes: whole, and none below zero."""
    return np.maximum(size, 0).astype(np.int64) if isinstance(size, np.ndarray) else max(int(size), 0)
