"""The Docker Engine API over its Unix socket, as far as emulations and captures need it."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
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


def request(
    path: Path,
    method: str,
    target: str,
    timeout: float = 30.0,
    *,
    body: Mapping[str, Any] | bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401 -- the API's own JSON
    """Send one request and return the decoded answer, `None` where it is empty or not JSON.

    Parameters
    ----------
    path
        The engine's socket.
    method, target
        As in the Engine API.
    timeout
        Seconds to wait for each part of the answer.
    body
        A mapping goes as JSON, bytes as a tar.
    headers
        Further headers.

    Raises
    ------
    LookupError
        If the engine answers 404.
    RuntimeError
        If the engine answers with another error status, or reports an error while it streams its progress.
    """
    sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if body is None else {"Content-Type": "application/x-tar" if sent is body else "application/json"}
    connection = UnixConnection(path, timeout)
    try:
        connection.request(method, target, sent, {**kind, **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status == http.client.NOT_FOUND:
        raise LookupError(f"{method} {target}: {_message(content)}")
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"{method} {target}: {answer.status} {_message(content)}")
    return _decoded(f"{method} {target}", content)


def _message(content: bytes) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(content)["message"])
    return content[:300].decode(errors="replace")


def _decoded(what: str, content: bytes) -> Any:  # noqa: ANN401 -- the API's own JSON
    """Read one JSON value, or the last of a progress stream, whose errors arrive under status 200."""
    lines = [line for line in content.splitlines() if line.strip()] if content[:1] in {b"{", b"["} else []
    decoded = None
    for line in lines:
        try:
            decoded = json.loads(line)
        except ValueError:
            return json.loads(content)
        if isinstance(decoded, dict) and "errorDetail" in decoded:
            raise RuntimeError(f"{what}: {decoded.get('error')}")
    return decoded


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
