"""Messages to send, and real receivers to send them to."""

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.incidents import Alert
from models.scores import BaselineInfo, Reason, Score
from service.outputs.notices import Notice
from service.outputs.output import Surroundings

NOW = datetime(2026, 9, 14, 10, 0, 0, 250_000, tzinfo=UTC)
HOSTILE = 'a|b\\c=d\n"e" <!channel> & ü\r\x1b[31m`f`'


def _reason(feature: str, bits: float, technique: str, text: str, **more: Any) -> Reason:
    return Reason(feature=feature, bits=bits, technique=technique, text=text, expected="4 known", **more)


def make_notice(**changes: Any) -> Notice:
    """Make a message about a break-in; `changes` replace its fields, `text` the words of its first reason."""
    text = changes.pop("text", "first contact with 203.0.113.66:4444")
    reasons = [
        _reason("network.new_edge", 14.2, "T1571", text, value="203.0.113.66:4444"),
        _reason("network.bytes_out", 6.0, "T1071.001", "a lot sent", value="200000"),
        _reason("config.drift", 9.0, "T1610", "announced", value="1", explained="change-1"),
    ]
    strongest = Score(
        workload="docker:shop/api",
        window_start="2026-09-14T09:20:00Z",
        window_end="2026-09-14T09:30:00Z",
        score=0.65,
        bits=18.9,
        p_value=2.1e-6,
        severity="high",
        evidence={"network": 19.4},
        reasons=reasons,
        baseline=BaselineInfo(level="workload", maturity=0.97, windows=4032),
        model="2026-09-14T02:00:00Z-3f9c",
    )
    alert = Alert(
        id="2026-09-14T09:10:00Z/docker:shop/api",
        workload="docker:shop/api",
        start="2026-09-14T09:10:00Z",
        end="2026-09-14T09:30:00Z",
        severity=changes.pop("severity", "high"),
        bits=18.9,
        windows=2,
        strongest=strongest,
    )
    usual = {
        "id": "5f2b8c",
        "event": "opened",
        "sequence": 1,
        "at": NOW,
        "open": True,
        "alert": alert,
        "why": "first told",
        "hosts": ["node-1"],
        "link": "https://wharfinger.example/workloads/docker:shop/api?at=2026-09-14T09:20:00Z",
    }
    return Notice(**(usual | changes))


@pytest.fixture
def notice() -> Notice:
    return make_notice()


@pytest.fixture
def surroundings() -> Surroundings:
    return Surroundings(now=NOW, environ={"KEY": "a secret key", "TOKEN": "Bearer t0ken"})


@dataclass
class Request:
    """What a receiver was sent."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """A web server that records what it is asked and answers as it is told, once per entry, then 200.

    While `held` is there and not set, nobody gets an answer.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    held: Event | None = None


@contextmanager
def listening(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Serve on a port of this machine, with TLS if a context says how."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            found.requests.append(Request(self.path, dict(self.headers), body))
            if found.held:
                found.held.wait()
            status, headers, told = found.answers.pop(0) if found.answers else (200, {}, b"ok")
            self.send_response(status)
            for name, value in {"Content-Length": str(len(told)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST  # noqa: N815 -- the library's name

        def log_message(self, *args: object) -> None:
            del args

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """Say nothing of clients that hang up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        found.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


def require(program: str | None, packages: str) -> str:
    """Give the path of a program; without it a test is skipped, and fails in CI, where it must be there."""
    if program is None:
        missing = f"a receiver is not installed (Debian: apt-get install {packages})"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    return program


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(found: Callable[[], Any], what: str) -> Any:
    """Wait until something is found, for as long as a busy machine may take."""
    for _ in range(600):
        if result := found():
            return result
        time.sleep(0.1)
    return pytest.fail(f"waited in vain for {what}")


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """Run a program until the block ends."""
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(30)


@dataclass
class Certificates:
    """Files in PEM: an authority, and what it issued for 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.now(UTC)
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])

    def issue(name: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        if is_authority:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "encipher_only", "decipher_only"), False)  # fmt: skip
            made = made.add_extension(x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True), critical=True)
        return made.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    found = Certificates(*(folder / name for name in ("authority.pem", "own.pem", "own.key")))
    found.authority.write_bytes(issue(issuer, authority, is_authority=True))
    found.certificate.write_bytes(issue(subject, own, is_authority=False))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    found.key.write_bytes(own.private_bytes(*form))
    return found
