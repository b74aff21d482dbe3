"""Many connections at once: scoring of windows, scoring of events, and intake, each connection in turns."""

import http.client
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context

START = datetime(2026, 9, 21, tzinfo=UTC).timestamp()
FLOWS = 20  # records of a request
PROCESSES = 2


@dataclass
class Tally:
    """What one kind of request met: seconds of those answered, how many were held back, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    held_back: int = 0
    errors: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """Give the milliseconds within which a share of the requests was answered."""
        if len(self.seconds) < 2:
            return 1000 * sum(self.seconds)
        return 1000 * statistics.quantiles(self.seconds, n=100, method="inclusive")[round(share * 100) - 1]


Kinds = dict[str, Tally]


def flows(connection: int, turn: int) -> list[dict[str, object]]:
    """Make connections as Zeek logs them, no two alike."""
    number = (connection * 1_000_000 + turn) * FLOWS
    return [
        {
            "ts": START + turn,
            "uid": f"C{number + place:014d}",
            "id.orig_h": f"192.168.50.{(connection + place) % 200}",
            "id.orig_p": 30_000 + turn % 20_000,
            "id.resp_h": f"192.0.2.{place}",
            "id.resp_p": 443,
            "proto": "tcp",
            "service": "ssl",
            "duration": 0.5,
            "orig_bytes": 700,
            "resp_bytes": 2800,
            "conn_state": "SF",
        }
        for place in range(FLOWS)
    ]


def _one(port: int, number: int, windows: bytes, until: float) -> Kinds:
    kinds: dict[str, tuple[str, Callable[[int], bytes]]] = {
        "score windows": ("/v1/scores", lambda _: windows),
        "score events": ("/v1/scores", lambda turn: json.dumps({"events": flows(number, turn)}).encode()),
        "intake": ("/v1/events", lambda turn: json.dumps(flows(number, turn)).encode()),
    }
    found = {kind: Tally() for kind in kinds}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for turn, kind in enumerate(itertools.cycle(kinds), start=number):
        if time.time() >= until:
            break
        path, body = kinds[kind]
        raw, tally, began = body(turn), found[kind], time.perf_counter()
        try:
            connection.request("POST", path, raw, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told = answer.read()
        except OSError as error:
            tally.errors.append(repr(error))
            connection.close()
            continue
        if answer.status == 429:
            tally.held_back += 1
        elif answer.status >= 400:
            tally.errors.append(f"{answer.status} {told[:200]!r}")
        else:
            tally.seconds.append(time.perf_counter() - began)
    connection.close()
    return found


def _some(port: int, numbers: list[int], windows: bytes, until: float) -> Kinds:
    with ThreadPoolExecutor(len(numbers)) as threads:
        return joined(threads.map(lambda number: _one(port, number, windows, until), numbers))


def joined(parts: Iterable[Kinds]) -> Kinds:
    whole: Kinds = {}
    for part in parts:
        for kind, tally in part.items():
            own = whole.setdefault(kind, Tally())
            own.seconds += tally.seconds
            own.held_back += tally.held_back
            own.errors += tally.errors
    return whole


def press(port: int, connections: int, windows: bytes, seconds: float, watch: Callable[[], object]) -> Kinds:
    """Send as fast as the answers come, from processes beside this one, which calls `watch` every second meanwhile."""
    until = time.time() + seconds
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as processes:
        parts = [
            processes.submit(_some, port, list(range(first, connections, PROCESSES)), windows, until)
            for first in range(min(PROCESSES, connections))
        ]
        while not all(part.done() for part in parts):
            watch()
            time.sleep(1)
        return joined(part.result() for part in parts)
