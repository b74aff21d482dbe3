"""The real server while many connections score and send at once."""

import contextlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.homes import copy_home
from tests.served import Served

CONNECTIONS = 16
TURNS = 5


def flow(number: int) -> dict[str, Any]:
    return {
        "ts": 1789300000 + number,
        "uid": f"C{number:010d}",
        "id.orig_h": "192.168.50.7",
        "id.orig_p": 30_000 + number % 20_000,
        "id.resp_h": "192.0.2.9",
        "id.resp_p": 443,
        "proto": "tcp",
        "conn_state": "SF",
    }


def talk(port: int, connection: int, first: int) -> list[int]:
    """Score windows, score events and send events in turns over one connection; give the statuses."""
    kept, statuses = HTTPConnection("127.0.0.1", port, timeout=60), []
    for turn in range(TURNS):
        number = first + connection * TURNS + turn
        window = {
            "workload": f"docker:shop/api{connection}",
            "window_start": "2026-09-13T12:00:00Z",
            "features": {"network.connections": turn, "network.new_destination": [f"d{turn}.example"]},
        }
        for path, body in (
            ("/v1/scores", {"windows": [window]}),
            ("/v1/scores", {"events": [flow(number)]}),
            ("/v1/events", [flow(number)]),
        ):
            kept.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = kept.getresponse()
            answer.read()
            statuses.append(answer.status)
    kept.close()
    return statuses


def held(server: Served) -> tuple[int, int]:
    """Count the file descriptors and threads of the server and all that it started."""
    master = psutil.Process(server.process.pid)
    descriptors = threads = 0
    for process in (master, *master.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            descriptors, threads = descriptors + process.num_fds(), threads + process.num_threads()
    return descriptors, threads


@pytest.mark.slow
def test_mixed_load_meets_no_error_and_leaves_nothing_behind(fleet: Any, tmp_path: Path) -> None:
    """Sixteen connections score and send at once without an error, and descriptors and threads do not add up."""
    copy_home(fleet.settings.home, tmp_path / "home")
    server = Served(
        tmp_path / "home",
        WHARFINGER_SCORE_SECONDS="1",
        WHARFINGER_REQUESTS_PER_SECOND="0",
        WHARFINGER_LOG_LEVEL="warning",
    )
    try:
        server.wait("/readyz")
        with ThreadPoolExecutor(CONNECTIONS) as threads:

            def press(first: int) -> Counter[int]:
                found = threads.map(lambda number: talk(server.port, number, first), range(CONNECTIONS))
                return Counter(status for statuses in found for status in statuses)

            statuses = press(0)
            before = held(server)
            for turn in range(1, 3):
                statuses += press(turn * CONNECTIONS * TURNS)
            after = held(server)
    finally:
        server.kill()

    assert set(statuses) == {200}
    requests = 2 * CONNECTIONS * TURNS * 3
    assert all(now - then < requests / 10 for then, now in zip(before, after, strict=True)), (before, after)
