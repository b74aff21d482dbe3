"""Record what the estate does: engine events, inspects, packets."""

import json
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from data.capture.engine import Engine
from data.capture.estate import HOST, NETWORKS
from service.emulation.live.api import EventStream, request

INSPECTED = {"create", "start", "update", "rename", "die"}
HIDDEN = {"world"}
SNAPSHOT_SECONDS = 240.0


class Recorder:
    """Write raw events, inspects and packets of an engine into a folder while the context is open.

    The container that plays the world outside is left out: an operator's collector would not see it.

    Parameters
    ----------
    engine
        A started engine with the networks of the estate.
    folder
        Where `events.ndjson`, `inspect.ndjson` and one `.pcap` per bridge go.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.hidden = {str(engine.inspect(name)["Id"]) for name in HIDDEN}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._dumps: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._events: TextIO = (self.folder / "events.ndjson").open("w")
        self._inspects: TextIO = (self.folder / "inspect.ndjson").open("w")
        for _, bridge, _, _ in NETWORKS.values():
            command = [
                "nice",
                "-n",
                "10",
                "tcpdump",
                "-q",
                "-n",
                "-i",
                bridge,
                "-s",
                "0",
                "-B",
                "8192",
                "-U",
                "-w",
                str(self.folder / f"{bridge}.pcap"),
                "ip",
            ]
            self._dumps.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        time.sleep(1.0)
        self._stream = EventStream(self.engine.socket, self._on_event)
        self._stream.start()
        self._snapshots = threading.Thread(target=self._snapshot, daemon=True)
        self._snapshots.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._stream.stop()
        for dump in self._dumps:
            dump.terminate()
            dump.wait(10)
        with self._lock:
            self._events.close()
            self._inspects.close()

    def _on_event(self, event: dict[str, Any]) -> None:
        attributes = event["Actor"].get("Attributes") or {}
        if event["Actor"]["ID"] in self.hidden or attributes.get("container") in self.hidden:
            return
        with self._lock:
            self._events.write(json.dumps({**event, "host": HOST}, separators=(",", ":")) + "\n")
        if event["Type"] == "container" and event["Action"] in INSPECTED:
            self._inspect(event["Actor"]["ID"])

    def _inspect(self, container: str) -> None:
        try:
            found = self.engine.inspect(container)
        except LookupError:
            return
        found["State"].pop("Health", None)
        line = {"observed_at": time.time_ns(), "host": HOST, "inspect": found}
        with self._lock:
            if not self._inspects.closed:
                self._inspects.write(json.dumps(line, separators=(",", ":")) + "\n")

    def _snapshot(self) -> None:
        while not self._closing.wait(SNAPSHOT_SECONDS):
            for container in request(self.engine.socket, "GET", "/containers/json"):
                if container["Id"] not in self.hidden:
                    self._inspect(container["Id"])
