"""The Docker Engine API over its Unix socket, as far as the range needs it."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket instead of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def request(path: Path, method: str, target: str, timeout: float = 30.0) -> Any:  # noqa: ANN401 (the API's own JSON)
    """Send one request without a body and return the decoded answer, `None` where it is empty.

    Raises
    ------
    LookupError
        If the engine answers 404.
    RuntimeError
        If the engine answers with another error status.
    """
    connection = UnixConnection(path, timeout)
    try:
        connection.request(method, target)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status == http.client.NOT_FOUND:
        raise LookupError(target)
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"{method} {target}: {answer.status} {body[:300]!r}")
    return json.loads(body) if body[:1] in {b"{", b"["} else None


class EventStream(threading.Thread):
    """The engine's live event stream, read in the background.

    Parameters
    ----------
    path
        The engine's socket.
    on_event
        Called in this thread with each event as it arrives.
    since
        Unix seconds from which the engine replays what it still holds (at most 256 events); from now on if `None`.
    """

    def __init__(self, path: Path, on_event: Callable[[dict[str, Any]], None], since: float | None = None) -> None:
        super().__init__(name="docker-events", daemon=True)
        self.path = path
        self.on_event = on_event
        self.since = since
        self.connected = threading.Event()
        self._stopping = False
        self._connection: UnixConnection | None = None

    def start(self) -> None:
        """Start and wait until the engine has accepted the subscription."""
        super().start()
        self.connected.wait(10)

    def run(self) -> None:
        """Read until stopped or until the engine goes away."""
        self._connection = UnixConnection(self.path, None)
        since = "" if self.since is None else f"?since={self.since:.9f}"
        try:
            self._connection.request("GET", f"/events{since}")
            answer = self._connection.getresponse()
            self.connected.set()
            for event in _json_lines(answer):
                self.on_event(event)
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            # http.client raises AttributeError when another thread closes the response it is reading.
            if not self._stopping:
                raise
        finally:
            self.connected.set()
            self._connection.close()

    def stop(self) -> None:
        """Close the stream and wait for the thread."""
        self._stopping = True
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(5)


def _json_lines(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    for line in iter(answer.readline, b""):
        if line.strip():
            yield json.loads(line)
