"""A server in a process of its own, for tests that talk to it through sockets."""

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """
import os, sys
from service.serving import serve
from service.settings import Settings
serve(Settings.load(None, os.environ), "127.0.0.1", int(sys.argv[1]), 2)
"""


class Served:
    """Serves a home with two workers.

    Parameters
    ----------
    home
        The home directory.
    settings
        More settings, by their names in the environment.
    """

    def __init__(self, home: Path, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "WHARFINGER_HOME": str(home)}
        environ |= {"WHARFINGER_MODEL_POLL_SECONDS": "0"} | settings
        self.trusted: ssl.SSLContext | None = None
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.port)], env=environ, stderr=subprocess.PIPE, text=True
        )

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        if self.trusted is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.trusted)
        try:
            raw = None if body is None else json.dumps(body)
            connection.request(method, path, raw, ({"Content-Type": "application/json"} if raw else {}) | headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def open(self, sent: bytes) -> socket.socket:
        """Connect and send what may be less than a request."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(sent)
        return connection

    def wait(self, path: str) -> None:
        for _ in range(600):
            try:
                self.ask("GET", path)
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise TimeoutError(self.process.poll())

    def stop(self) -> tuple[int, list[dict[str, Any]]]:
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=60)
        return self.process.returncode, [json.loads(line) for line in log.splitlines()]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
