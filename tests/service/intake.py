"""Servers in processes of their own, to be killed while they take in telemetry."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import os, sys
from service.serving import serve
from service.settings import Settings
serve(Settings.load(None, os.environ), "127.0.0.1", int(sys.argv[1]), 2)
"""


def lives(process: psutil.Process) -> bool:
    """Tell a process that runs from one that ended, awaited by its parent or not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Server:
    """A server with two workers and a leading process, all in a process group of their own."""

    def __init__(self, home: Path, **settings: object) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        own = {f"WHARFINGER_{name.upper()}": str(value) for name, value in settings.items()}
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "WHARFINGER_HOME": str(home), **own}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(self.port)],
            env=environ,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.until(lambda: self.ask("GET", "/healthz") is not None)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any] | None:
        """Ask the server; None if it does not answer, or breaks off."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            raw = None if body is None else json.dumps(body)
            connection.request(method, path, raw, {"Content-Type": "application/json", **headers} if raw else headers)
            answer = connection.getresponse()
            told = answer.read()
            return answer.status, json.loads(told) if answer.headers.get_content_subtype() == "json" else told.decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def post(self, records: list[dict[str, object]], **headers: str) -> dict[str, int]:
        """Send records until they are accepted, as a collector does."""
        for _ in range(600):
            answer = self.ask("POST", "/v1/events", records, **headers)
            if answer is not None and answer[0] == 200:
                return dict(answer[1])
            time.sleep(0.1)
        raise TimeoutError(answer)

    def children(self, *, leading: bool) -> list[psutil.Process]:
        """List the leading process, or the web workers."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            # A child may end between one question and the next, and is then a zombie or gone.
            with contextlib.suppress(psutil.NoSuchProcess):
                if lives(child) and ("service.leading" in child.cmdline()) is leading:
                    found.append(child)
        return found

    def kill(self) -> None:
        """Kill every process at once, with no chance to end well."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end, and give its exit code."""
        self.process.terminate()
        return self.process.wait(60)

    @staticmethod
    def until(holds: Callable[[], object], tries: int = 1200) -> None:
        """Wait for something that another process does."""
        for _ in range(tries):
            if holds():
                return
            time.sleep(0.1)
        raise TimeoutError(holds)
