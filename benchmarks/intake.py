"""What intake costs: CPU of a web worker per request and event, on disk and in the lake, beside decoding alone."""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog

from service.app import create_app
from service.jobs.fold import fold
from service.settings import Settings
from service.wiring import open_home

START = datetime(2026, 9, 14, tzinfo=UTC).timestamp()


def requests(number: int, size: int) -> Iterator[bytes]:
    for first in range(0, number * size, size):
        yield json.dumps([flow(count) for count in range(first, first + size)]).encode()


def flow(number: int) -> dict[str, object]:
    return {
        "ts": START + number / 50,
        "uid": f"C{number:012d}",
        "id.orig_h": f"192.168.50.{number % 200}",
        "id.orig_p": 30_000 + number % 20_000,
        "id.resp_h": f"192.0.2.{number % 250}",
        "id.resp_p": 443,
        "proto": "tcp",
        "service": "ssl",
        "duration": 0.5,
        "orig_bytes": 700,
        "resp_bytes": 2800,
        "conn_state": "SF",
    }


def cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    events = parser.parse_args().events
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    print("| records a request | decode only, ms | intake, ms | ratio | events/s of a worker | fold, events/s |")
    print("|---|---|---|---|---|---|")
    for size in (1, 20, 500, 5_000):
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings.load(Path(folder), {})
            client, home = create_app(settings).test_client(), open_home(settings)
            bodies = list(requests(max(events // size // (20 if size == 1 else 1), 1), size))
            client.post("/v1/events", json=flow(10**9))  # what is imported and planned once
            decoding = cpu(lambda bodies=bodies: [msgspec.json.decode(body) for body in bodies])
            send = lambda bodies=bodies, client=client: [  # noqa: E731 -- measured below
                client.post("/v1/events", data=body, content_type="application/json") for body in bodies
            ]
            intake = cpu(send)
            folding = cpu(lambda home=home: fold(home, now=datetime.now(UTC)))
            total, count = len(bodies) * size, len(bodies)
            print(
                f"| {size} | {1e3 * decoding / count:.3f} | {1e3 * intake / count:.2f} | {intake / decoding:.0f} "
                f"| {total / intake:,.0f} | {total / folding:,.0f} |"
            )


if __name__ == "__main__":
    main()
