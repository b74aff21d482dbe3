"""A registry of a run's own on loopback, so that pulls are real and nothing comes from the internet."""

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from service.emulation.live.actions import LiveError

PROGRAM = "docker-registry"
CONFIG = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}", secret: emulation}}
"""
START_SECONDS = 10.0


def available() -> bool:
    """Say whether a registry can be started here."""
    return shutil.which(PROGRAM) is not None and shutil.which("setpriv") is not None


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Registry:
    """A registry on `127.0.0.1:port`; the kernel ends it if the thread that started it dies.

    Parameters
    ----------
    folder
        Where its storage and configuration go.
    port
        The port.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = self.folder / "config.yml"
        config.write_text(CONFIG.format(root=self.folder / "storage", port=self.port))
        command = ["setpriv", "--pdeathsig", "KILL", PROGRAM, "serve", str(config)]
        self.process = subprocess.Popen(  # noqa: S603 -- a fixed command
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                ended = self.process is not None and self.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise LiveError(f"{PROGRAM} does not start on 127.0.0.1:{self.port}") from None
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
