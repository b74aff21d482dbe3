# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
# ruff: noqa: E501 -- tables and wire forms stay in rows
"""Turns arrays of connections into rows of Zeek logs that agree with each other: uid, name look-up, TLS, HTTP."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from service.emulation.estate.ids import Objects, flow_uids
from service.emulation.estate.sink import Sink

RESOLVER = "10.0.0.53"
_HISTORY = {
    "SF": "ShADadFf", "S0": "S", "REJ": "Sr", "RSTO": "ShADadR", "RSTR": "ShADadr", "S1": "ShADad", "OTH": "DadA",
    "SH": "ShAF",
}  # fmt: skip
_INTERNAL = ("10.", "172.16.", "172.17.", "172.18.", "172.19.", "172.2", "172.30.", "172.31.", "192.168.")


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
    _interned: dict[str, bool] = field(default_factory=dict)

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
    ) -> tuple[Objects, np.ndarray]:
        """Write conn rows; return their uids and client ports.

        `sizes` is bytes sent, bytes received, seconds; `packets` how many each way, where they do not follow from them.
        """
        count = len(ts)
        uid = flow_uids(self.rng, count)
        sport = self.rng.integers(32_768, 60_999, count) if sport is None else np.broadcast_to(sport, count)
        sent, received = (np.maximum(np.broadcast_to(size, count), 0).astype(np.int64) for size in sizes[:2])
        state = _objects(state, count)
        dead = (state == "S0") | (state == "REJ")
        sent, received = np.where(dead, 0, sent), np.where(dead, 0, received)
        out_packets, in_packets = (
            4 + sent // 1100,
            np.where(dead, state == "REJ", 3 + received // 1350).astype(np.int64),
        )
        if proto == "udp":
            out_packets, in_packets = 1 + sent // 1400, np.where(received > 0, 1 + received // 1400, 0)
        out_packets = np.where(dead, np.where(state == "S0", 3, 1), out_packets)
        if packets is not None:
            out_packets = in_packets = np.broadcast_to(packets, count).astype(np.int64)
        duration = np.broadcast_to(np.asarray(sizes[2], dtype=float), count).astype(object)
        duration[state == "S0"] = None
        history = _objects("Dd" if proto == "udp" else None, count)  # Zeek keeps none for ICMP
        if proto == "tcp":
            history = np.array([_HISTORY[s] for s in state], dtype=object)
        src, dst = _objects(src, count), _objects(dst, count)
        columns = [
            ts, uid, src, sport, dst, np.broadcast_to(port, count), _objects(proto, count), _services(service, dead),
            duration, sent, received, state, self._local(src), self._local(dst), np.zeros(count, np.int64), history,
            out_packets, sent + 40 * out_packets, in_packets, received + 40 * in_packets,
        ]  # fmt: skip
        self.sink.columns("conn", columns)
        return uid, np.asarray(sport)

    def _local(self, addresses: Objects) -> np.ndarray:
        known = self._interned
        for address in set(addresses.tolist()).difference(known):
            known[address] = address.startswith(_INTERNAL)
        return np.array([known[address] for address in addresses], dtype=bool)

    def look_up(self, ts: np.ndarray, src: Any, query: Any, answer: Any, **options: Any) -> None:
        """Write DNS questions to the resolver with their conn rows; an answer of None is NXDOMAIN."""
        count = len(ts)
        if not count:
            return
        query, answer = _objects(query, count), _objects(answer, count)
        qtype = options.get("qtype", "A")
        rtt = self.rng.lognormal(-6.5, 0.9, count)
        answer_bytes = options.get("answer_bytes", 120)
        sent = np.array([len(text) for text in query]) + 30
        server = options.get("server", RESOLVER)
        uid, sport = self.connections(ts, src, server, 53, sizes=(sent, answer_bytes, rtt), proto="udp", service="dns")
        missing = np.array([item is None for item in answer])
        answers, ttls = np.empty(count, dtype=object), np.empty(count, dtype=object)
        for i, item in enumerate(answer):
            answers[i] = None if item is None else item if isinstance(item, list) else [item]
            ttls[i] = None if item is None else [60.0] * len(answers[i])
        number = {"A": 1, "AAAA": 28, "TXT": 16, "CNAME": 5, "NULL": 10, "PTR": 12}[qtype]
        flags = [_objects(value, count) for value in (False, False, True, True)]
        columns = [
            ts, uid, _objects(src, count), sport, _objects(server, count), np.full(count, 53), _objects("udp", count),
            self.rng.integers(1, 65_535, count), rtt, query, np.ones(count, np.int64), _objects("C_INTERNET", count),
            np.full(count, number), _objects(qtype, count), np.where(missing, 3, 0),
            np.where(missing, "NXDOMAIN", "NOERROR").astype(object), *flags, np.zeros(count, np.int64), answers, ttls,
            _objects(value=False, count=count),
        ]  # fmt: skip
        self.sink.columns("dns", columns)

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
        columns = [
            ts, uid, _objects(src, count), sport, _objects(dst, count), np.broadcast_to(port, count),
            _objects(who.version, count), _objects(who.cipher if ok else None, count),
            _objects("x25519" if ok else None, count), _objects(options["name"], count), resumed,
            _objects(options.get("alpn"), count), np.full(count, ok), _objects(who.ja3, count),
            _objects(server if ok else None, count), _objects(who.ja4, count), _objects(subject, count),
            _objects(options.get("issuer", subject), count), _objects(options.get("validation"), count),
        ]  # fmt: skip
        self.sink.columns("ssl", columns)

    def http(self, ts: np.ndarray, src: Any, dst: Any, port: Any, **options: Any) -> None:
        """Write HTTP requests: `sizes`, `agent`, `host`, `uri`, optional `method`, `status`, `referrer`, `body`."""
        count = len(ts)
        sizes = options["sizes"]
        uid, sport = self.connections(ts, src, dst, port, sizes=sizes, service="http")
        status = np.broadcast_to(options.get("status", 200), count)
        body = np.maximum(np.broadcast_to(sizes[1], count).astype(np.int64) - 220, 0)
        sent_body = np.broadcast_to(options.get("sent_body", 0), count).astype(np.int64)
        method = _objects(options.get("method", "GET"), count)
        texts = {200: "OK", 201: "Created", 204: "No Content", 302: "Found", 304: "Not Modified", 404: "Not Found",
                 401: "Unauthorized", 500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip
        tags = np.empty(count, dtype=object)
        for i in range(count):
            tags[i] = []
        columns = [
            ts + 0.002, uid, _objects(src, count), sport, _objects(dst, count), np.broadcast_to(port, count),
            np.ones(count, np.int64), method, _objects(options["host"], count), _objects(options["uri"], count),
            _objects(options.get("referrer"), count), _objects("1.1", count), _objects(options["agent"], count),
            sent_body, body, status, np.array([texts[int(code)] for code in status], dtype=object), tags,
        ]  # fmt: skip
        self.sink.columns("http", columns)

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


def _services(service: str | None, dead: np.ndarray) -> Objects:
    out = _objects(service, len(dead))
    out[dead] = None
    return out
