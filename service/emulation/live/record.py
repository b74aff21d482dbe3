"""Keeps what the engine says of a run, and what its networks carried, as files that can be ingested."""

import contextlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from service.emulation.live.actions import LABEL, LiveError
from service.emulation.live.api import EventStream, request
from service.emulation.live.packets import Packets

INSPECTED = {"create", "start", "update", "rename"}
SETTLE_SECONDS = 1.0
"""The engine tells of an act a moment after it is done."""


class Recorder:
    """Writes events, inspects and flows of the runs that are under way while the context is open.

    Parameters
    ----------
    socket
        The engine's socket.
    folder
        Where `events.ndjson`, `inspect.ndjson` and Zeek-like logs go; made if it is missing.
    host
        Name of the host in what is written.
    images
        References of the run's images, whose events carry no label.
    """

    def __init__(self, socket: Path, folder: Path, host: str, images: set[str]) -> None:
        self.socket = socket
        self.folder = folder
        self.host = host
        self.images = images
        self.notes: list[str] = []
        self._containers: set[str] = set()
        self._stream = EventStream(socket, self._on_event)
        self._packets = Packets(folder)

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._events: TextIO = (self.folder / "events.ndjson").open("a")
            self._inspects: TextIO = (self.folder / "inspect.ndjson").open("a")
        except OSError as error:
            raise LiveError(f"cannot record into {self.folder}: {error.strerror}") from error
        self._stream.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        time.sleep(SETTLE_SECONDS)
        self._stream.stop()
        self._packets.__exit__(kind, value, trace)
        self._events.close()
        self._inspects.close()

    def network(self, identity: str) -> None:
        """Listen on a network of the run, if this process may."""
        try:
            self._packets.listen(f"br-{identity[:12]}")
        except (OSError, AttributeError) as error:
            self.notes.append(f"flows are not recorded: {error} (root on the engine's own machine can)")

    def _on_event(self, event: dict[str, Any]) -> None:
        actor = event.get("Actor") or {}
        attributes = actor.get("Attributes") or {}
        if event["Type"] == "container":
            ours = LABEL in attributes
            if ours:
                self._containers.add(actor["ID"])
        elif event["Type"] == "network":
            ours = attributes.get("container") in self._containers or str(attributes.get("name", "")).startswith(
                "wharfinger-"
            )
        else:
            ours = LABEL in attributes or bool(self.images & {actor.get("ID"), attributes.get("name")})
        if not ours:
            return
        self._events.write(json.dumps({**event, "host": self.host}, separators=(",", ":")) + "\n")
        if event["Type"] == "container" and event["Action"] in INSPECTED:
            with contextlib.suppress(LookupError, RuntimeError, OSError):
                found = request(self.socket, "GET", f"/containers/{actor['ID']}/json")
                line = {"observed_at": datetime.now(UTC).isoformat(), "host": self.host, "inspect": found}
                self._inspects.write(json.dumps(line, separators=(",", ":")) + "\n")
