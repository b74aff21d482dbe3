"""Real registries on loopback ports, and a sink that keeps the notifications they send."""

import http.server
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

CONFIG = """version: 0.1
log: {{level: info, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", secret: range}}
"""
NOTIFY = """notifications:
  endpoints:
    - {{name: sink, url: "{url}", timeout: 1s, threshold: 5, backoff: 1s}}
"""


class Registry:
    """One distribution registry on `127.0.0.1:port`; use it as a context manager.

    Parameters
    ----------
    folder
        Where its storage, configuration and log go.
    port
        The loopback port.
    notify_to
        URL that gets its notification envelopes, if any.
    """

    def __init__(self, folder: Path, port: int, notify_to: str | None = None) -> None:
        self.folder = folder
        self.port = port
        self.notify_to = notify_to
        self.log = folder / "registry.log"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it answers; `RuntimeError` if it does not within ten seconds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(root=self.folder / "storage", port=self.port)
        if self.notify_to is not None:
            text += NOTIFY.format(url=self.notify_to)
        config = self.folder / "config.yml"
        config.write_text(text)
        with self.log.open("wb") as log:
            command = ["setpriv", "--pdeathsig", "TERM", "docker-registry", "serve", str(config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"registry did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/", timeout=2):
                return True
        except urllib.error.URLError:
            return False

    def stop(self) -> None:
        """End the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Sink:
    """An HTTP endpoint on a free loopback port that appends each notification envelope to an NDJSON file.

    Parameters
    ----------
    path
        The file to append to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sink.keep(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the file is the log."""

        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/events"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def keep(self, body: bytes) -> None:
        """Append one envelope as one line."""
        line = json.dumps(json.loads(body), separators=(",", ":"))
        with self._lock, self.path.open("a") as file:
            file.write(line + "\n")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
