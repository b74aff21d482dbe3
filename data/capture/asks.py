"""What the range's containers ask of others: HTTP, TLS, database lines, held connections, DNS names, port probes."""

import base64
import contextlib
import http.client
import random
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Loop = dict[str, Any]
Broken = http.client.HTTPException


def connect(loop: Loop, host: str, port: int, generator: random.Random) -> socket.socket:
    """Resolve, connect and, where the loop asks for it, speak TLS without checking the lab's own certificate."""
    sources = loop.get("sources")
    source = (generator.choice(sources), 0) if sources else None
    plain = socket.create_connection(
        (loop.get("address", host), port), timeout=loop.get("timeout", 5), source_address=source
    )
    if not loop.get("tls"):
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "ciphers" in loop:
        context.set_ciphers(loop["ciphers"])
    if "alpn" in loop:
        context.set_alpn_protocols(loop["alpn"])
    if loop.get("old"):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context.wrap_socket(plain, server_hostname=loop.get("sni", host))


def farewell(peer: socket.socket) -> None:
    """End TLS as the protocol asks, so that the connection ends with FIN and not with RST."""
    if isinstance(peer, ssl.SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            peer.unwrap()


def ask_http(loop: Loop, plan: Loop, generator: random.Random) -> None:
    """Send one HTTP request, inside TLS where the address says https."""
    del plan
    address = urlsplit(generator.choice(loop["urls"]))
    loop = {**loop, "tls": address.scheme == "https"}
    port = address.port or (443 if loop["tls"] else 80)
    connection = http.client.HTTPConnection(address.hostname or "", port, timeout=5)
    connection.sock = connect(loop, address.hostname or "", port, generator)
    low, high = loop.get("send", (0, 0))
    body = bytes(generator.randint(low, high))
    headers = {"User-Agent": loop.get("ua", "python-urllib/3.11"), **loop.get("headers", {})}
    target = address.path + (f"?{address.query}" if address.query else "")
    try:
        connection.request(loop.get("method", "POST" if body else "GET"), target, body or None, headers)
        connection.getresponse().read()
        farewell(connection.sock)
    finally:
        connection.close()


def ask_line(loop: Loop, plan: Loop, generator: random.Random) -> None:
    """Ask a database or cache a few times on one connection: a length-prefixed binary form, no known protocol."""
    del plan
    host, port = loop["to"].rsplit(":", 1)
    with connect(loop, host, int(port), generator) as peer:
        for _ in range(generator.randint(*loop.get("rounds", (1, 4)))):
            want = generator.randint(*loop.get("want", (80, 1800)))
            send = generator.randint(*loop.get("send", (30, 300)))
            peer.sendall(struct.pack(">II", want, send) + bytes(send))
            read_exactly(peer, want)


def read_exactly(peer: socket.socket, size: int) -> None:
    """Read `size` bytes and forget them; `ConnectionError` if the peer ends before."""
    while size > 0:
        got = peer.recv(min(size, 65536))
        if not got:
            raise ConnectionError
        size -= len(got)


def ask_hold(loop: Loop, plan: Loop, generator: random.Random) -> None:
    """Hold one connection open and answer the peer's small lines, for `span` stretched seconds."""
    host, port = loop["to"].rsplit(":", 1)
    deadline = time.monotonic() + loop["span"] / plan["factor"]
    beat = loop["beat"] / plan["factor"]
    with connect(loop, host, int(port), generator) as peer:
        while time.monotonic() < deadline:
            peer.sendall(loop.get("text", "ping\n").encode() * generator.randint(*loop.get("lines", (1, 1))))
            peer.recv(4096)
            time.sleep(beat * generator.uniform(0.5, 1.5))
        farewell(peer)


def ask_upload(loop: Loop, plan: Loop, generator: random.Random) -> None:
    """Put one large object: zeros inside TLS."""
    del plan
    address = urlsplit(loop["urls"][0])
    size = generator.randint(*loop["send"])
    with connect({**loop, "tls": True}, address.hostname or "", 443, generator) as peer:
        head = f"PUT {address.path} HTTP/1.1\r\nHost: {address.hostname}\r\nContent-Length: {size}\r\n\r\n"
        peer.sendall(head.encode())
        while size > 0:
            peer.sendall(bytes(min(size, 16384)))
            size -= 16384
        answer = http.client.HTTPResponse(peer, method="PUT")
        answer.begin()
        answer.read()
        farewell(peer)


def ask_tunnel(loop: Loop, plan: Loop, generator: random.Random) -> None:
    """Ask the resolver for one long random name of type TXT, the form of a DNS tunnel; the labels carry nothing."""
    del plan
    label = base64.b32encode(generator.randbytes(32)).decode().rstrip("=").lower()
    packet = struct.pack(">HHHHHH", generator.randrange(65536), 0x0100, 1, 0, 0, 0)
    for part in f"{label}.{loop['domain']}".split("."):
        packet += bytes([len(part)]) + part.encode()
    packet += b"\0" + struct.pack(">HH", 16, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(2)
        peer.sendto(packet, (loop["resolver"], 53))
        peer.recv(2048)


def ask_scan(loop: Loop, plan: Loop, generator: random.Random) -> None:
    """Try to connect to every address and port once and hang up."""
    del plan, generator
    for host in loop["hosts"]:
        for port in loop["ports"]:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as peer:
                peer.settimeout(loop.get("timeout", 0.1))
                peer.connect_ex((host, port))


KINDS: dict[str, Callable[[Loop, Loop, random.Random], None]] = {
    "http": ask_http,
    "line": ask_line,
    "hold": ask_hold,
    "upload": ask_upload,
    "tunnel": ask_tunnel,
    "scan": ask_scan,
}
