"""Clients that mean harm, against a server with keys that is reached through sockets."""

import contextlib
import json
import select
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from service.settings import Settings
from service.wiring import open_home
from tests.homes import copy_home
from tests.served import Served

pytestmark = pytest.mark.slow
SLOW = 60  # more than two workers have threads to answer with


class Closed(Served):
    """A server with a key for reading and scoring."""

    def __init__(self, fleet: Any, folder: Path, **settings: str) -> None:
        copy_home(fleet.settings.home, folder / "home")
        home = open_home(Settings.load(folder / "home", {}))
        self.store = home.keys
        self.key, self.shown = self.store.create("reader", ["read", "score"], now=datetime.now(UTC))
        self.bearer = {"Authorization": f"Bearer {self.shown}"}
        home.database.close()
        super().__init__(folder / "home", **settings)


@pytest.fixture(scope="module")
def closed(fleet: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    server = Closed(fleet, tmp_path_factory.mktemp("closed"))
    try:
        server.wait("/healthz")
        yield server
    finally:
        server.kill()


def answer_of(connection: socket.socket) -> bytes:
    """Read until the server hangs up, or an answer's head has come."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n\r\n" not in got and (part := connection.recv(65536)):
            got += part
    return got


def test_slow_clients_do_not_block_others(closed: Closed) -> None:
    """While many clients stop in the middle of a line others are answered, and the slow ones are hung up on."""
    slow = [closed.open(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-") for _ in range(SLOW)]

    assert [closed.ask("GET", "/healthz")[0] for _ in range(20)] == [200] * 20
    assert closed.ask("GET", "/v1/models", **closed.bearer)[0] == 200
    for connection in slow:
        assert not answer_of(connection).startswith(b"HTTP/1.1 200")
        connection.close()


def test_bodies_of_strangers_are_not_waited_for(closed: Closed) -> None:
    """Who shows no key is refused before a body is read, so that withheld bodies occupy nobody."""
    head = b"POST /v1/scores HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n{"
    slow = [closed.open(head) for _ in range(SLOW)]

    assert closed.ask("GET", "/v1/models", **closed.bearer)[0] == 200
    for connection in slow:
        assert answer_of(connection).startswith(b"HTTP/1.1 401")
        connection.close()


@pytest.mark.parametrize(
    "length", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked"], ids=["told", "chunked"]
)
def test_a_gigabyte_is_refused_early(closed: Closed, length: bytes) -> None:
    """A body beyond the limit is refused when its length is told, or when as much of it has come."""
    head = f"POST /v1/scores HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {closed.shown}\r\n".encode()
    sent = 0
    with closed.open(head + b"Content-Type: application/json\r\n" + length + b"\r\n\r\n") as connection:
        with contextlib.suppress(ConnectionError):  # it hangs up on who goes on sending
            while length.startswith(b"Transfer") and not select.select([connection], [], [], 0)[0]:
                connection.sendall(b"10000\r\n" + b" " * 2**16 + b"\r\n")
                sent += 2**16
        answer_of(connection)

    assert sent < 40 * 2**20
    counted = closed.ask("GET", "/metrics", **closed.bearer)[1]
    line = 'wharfinger_http_requests_total{method="POST",route="/v1/scores",status="413"}'
    assert f"{line} {1 if sent == 0 else 2}.0" in counted


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 500 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nBad Name: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\rSet-Cookie: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    ],
    ids=["long field", "many fields", "long line", "bad name", "injected", "smuggled", "tls"],
)
def test_malformed_heads_are_refused(closed: Closed, head: bytes) -> None:
    """Heads that are too long, injected into, or ambiguous get a 4xx, and nothing of them is answered or echoed."""
    connection = closed.open(head)
    answer = answer_of(connection)
    connection.close()

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431"))
    assert b"Set-Cookie" not in answer.partition(b"\r\n\r\n")[0]
    assert closed.ask("GET", "/healthz")[0] == 200


def test_secrets_stay_out_of_the_log(fleet: Any, tmp_path: Path) -> None:
    """Keys that are sent as they should be, wrongly, or in the wrong place, appear nowhere in the log.

    A key revoked on the command line opens nothing any more in either worker.
    """
    served = Closed(fleet, tmp_path, WHARFINGER_LOG_LEVEL="debug")
    secret = served.shown.split("_", 2)[2]
    try:
        served.wait("/healthz")
        assert served.ask("GET", "/v1/models", **served.bearer)[0] == 200
        served.ask("GET", f"/v1/models?key={served.shown}")
        served.ask("GET", f"/v1/models/{served.shown}", **served.bearer)
        served.ask("POST", f"/v1/models/{served.shown}/promote", **served.bearer)
        served.ask("POST", "/v1/scores", {"windows": [{"workload": served.shown}]}, **served.bearer)
        for field in (f"Authorization : Bearer {served.shown}", f"Bearer {served.shown}", f"{served.shown}: x"):
            with served.open(f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{field}\r\n\r\n".encode()) as connection:
                answer_of(connection)
        served.store.revoke(served.key.prefix, now=datetime.now(UTC))
        assert {served.ask("GET", "/v1/models", **served.bearer)[0] for _ in range(20)} == {401}
        code, log = served.stop()
    finally:
        served.kill()

    assert code == 0
    assert secret not in json.dumps(log)
    assert any(line.get("who") == f"key:{served.key.prefix}" for line in log)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    until = now + timedelta(days=1)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, until)
    alternative = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    signed = made.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return folder / "certificate.pem", folder / "key.pem"


def test_tls_is_served_and_slow_handshakes_block_nobody(fleet: Any, tmp_path: Path) -> None:
    """With a certificate the service speaks TLS alone, and clients that stop in a handshake block nobody."""
    shown, key = certificate(tmp_path)
    served = Closed(fleet, tmp_path, WHARFINGER_TLS_CERTIFICATE=str(shown), WHARFINGER_TLS_KEY=str(key))
    served.trusted = ssl.create_default_context(cafile=str(shown))
    try:
        served.wait("/healthz")
        slow = [served.open(b"\x16\x03\x01") for _ in range(SLOW)]
        assert [served.ask("GET", "/v1/models", **served.bearer)[0] for _ in range(5)] == [200] * 5
        plain = served.open(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 200 " not in answer_of(plain)
        for connection in (*slow, plain):
            connection.close()
    finally:
        served.kill()
