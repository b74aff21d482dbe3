"""What the range's containers serve: HTTP with or without TLS, database lines, raw lines, DNS."""

import contextlib
import http.server
import random
import socket
import socketserver
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Plan = dict[str, Any]
Turn = Callable[[Plan, Plan, random.Random], None]
HEAD = struct.Struct(">II")
ADDRESS, TEXT = 1, 16
CERTIFICATE = Path(__file__).with_name("lab.pem")


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """A TCP server with a thread per connection and, where a context is set, a TLS handshake in that thread."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 (the base class's types)
        """Handshake, then serve; a client that does not speak TLS is cut off."""
        with contextlib.suppress(OSError):
            if self.context is not None:
                request.settimeout(5)
                request = self.context.wrap_socket(request, server_side=True)
            self.RequestHandlerClass(request, client_address, self)  # type: ignore[arg-type]  # the stub wants Self
            if self.context is not None:
                request.unwrap()


def start(service: Plan, plan: Plan, turn: Turn) -> None:
    """Serve one entry of the plan in the background."""
    address = (service.get("address", "0.0.0.0"), int(service["port"]))  # noqa: S104 (inside a container)
    if service["kind"] == "dns":
        threading.Thread(target=_names, args=(address, service, plan), daemon=True).start()
        return
    handler = {"http": _http, "line": _line, "raw": _raw}[service["kind"]](service, plan, turn)
    server = Server(address, handler)
    if service.get("tls"):
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(CERTIFICATE)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _http(service: Plan, plan: Plan, turn: Turn) -> type[socketserver.BaseRequestHandler]:
    generator = random.Random()  # noqa: S311 (the size of pages)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = service.get("server", "shop/1")
        sys_version = ""

        def answer(self) -> None:
            left = int(self.headers.get("Content-Length") or 0)
            while left > 0 and (got := self.rfile.read(min(left, 65536))):
                left -= len(got)
            if self.path not in {"/health", "/metrics"}:
                for then in service.get("then", []):
                    if generator.random() < then.get("p", 1.0):
                        turn(then, plan, generator)
            missing = generator.random() < service.get("missing", 0.0)
            size = int((zlib.crc32(self.path.encode()) % 3000 + 150) * generator.uniform(0.9, 1.1))
            body = b"x" * service.get("size", 12 if self.path == "/health" else size)
            self.send_response(404 if missing else 200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 (the base class's names)

        def log_message(self, *_: object) -> None:
            """Log one line every hundred requests, so that container logs stay small."""

    return Handler


def _line(service: Plan, plan: Plan, turn: Turn) -> type[socketserver.BaseRequestHandler]:
    del service, plan, turn

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while len(head := self.rfile.read(HEAD.size)) == HEAD.size:
                want, send = HEAD.unpack(head)
                self.rfile.read(send)
                self.wfile.write(bytes(min(want, 50_000_000)))

    return Handler


def _raw(service: Plan, plan: Plan, turn: Turn) -> type[socketserver.BaseRequestHandler]:
    """Answer each chunk with one short line, as a person at a terminal, or a push service, would."""
    del service, plan, turn

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                self.request.sendall(b"ok\n")

    return Handler


def _names(address: tuple[str, int], service: Plan, plan: Plan) -> None:
    """Answer DNS over UDP from a table, or ask upstream and keep the answer for a stretched quarter of an hour."""
    cache: dict[bytes, tuple[float, bytes]] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(address)
        while True:
            question, client = peer.recvfrom(2048)
            if "upstream" not in service:
                peer.sendto(_answer(question, service["zone"]), client)
                continue
            threading.Thread(target=_forward, args=(peer, question, client, service, plan, cache), daemon=True).start()


def _forward(
    peer: socket.socket,
    question: bytes,
    client: tuple[str, int],
    service: Plan,
    plan: Plan,
    cache: dict[bytes, tuple[float, bytes]],
) -> None:
    until, answer = cache.get(question[12:], (0.0, b""))
    if until < time.monotonic():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream, contextlib.suppress(OSError):
            upstream.settimeout(2)
            upstream.sendto(question, (service["upstream"], 53))
            answer = upstream.recv(2048)
            cache[question[12:]] = (time.monotonic() + 900.0 / plan["factor"], answer)
    if answer:
        peer.sendto(question[:2] + answer[2:], client)


def _answer(question: bytes, zone: dict[str, str]) -> bytes:
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace").lower())
        at += 1 + question[at]
    body, kind = question[12 : at + 5], struct.unpack(">H", question[at + 1 : at + 3])[0]
    name = ".".join(labels)
    found = next((zone[key] for key in (name, "*." + ".".join(labels[1:])) if key in zone), None)
    data = b""
    if found is not None and kind == ADDRESS:
        data = socket.inet_aton(found)
    elif found is not None and kind == TEXT:
        data = bytes([120]) + b"a" * 120
    record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 300, len(data)) + data if data else b""
    flags = 0x8180 if found is not None else 0x8183
    return question[:2] + struct.pack(">HHHHH", flags, 1, 1 if data else 0, 0, 0) + body + record
