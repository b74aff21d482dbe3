"""An issuer of tokens that publishes its keys over HTTP, as a real one does."""

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from service.access.identity_provider import IdentityProvider

AUDIENCE = "wharfinger"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Issuer(http.server.ThreadingHTTPServer):
    """Publishes one key, and counts how often it is asked."""

    def __init__(self, answer: type[http.server.BaseHTTPRequestHandler] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), answer or Answer)
        self.name = f"http://127.0.0.1:{self.server_port}"
        self.asked = 0

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Answer from a thread."""
        thread = threading.Thread(target=self.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()

    def token(self, key: Any = KEY, algorithm: str = "RS256", *, kid: str | None = "k1", **claims: Any) -> str:
        now = int(time.time())
        times = {"iat": now, "exp": now + 300}
        told = {"iss": self.name, "aud": AUDIENCE, "sub": "ada", "scope": "wharfinger:read", **times}
        wanted = {name: value for name, value in (told | claims).items() if value is not None}
        return jwt.encode(wanted, key, algorithm, headers={"kid": kid} if kid else {})

    def provider(self, **options: Any) -> IdentityProvider:
        return IdentityProvider(self.name, AUDIENCE, f"{self.name}/keys", **options)


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, self.keys())

    def keys(self) -> dict[str, Any]:
        assert isinstance(self.server, Issuer)
        self.server.asked += 1
        key = {**RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1", "use": "sig", "alg": "RS256"}
        return {"keys": [key]}

    def answer(self, status: int, told: object, **headers: str) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
