"""Delivers messages while the service runs, in a thread of each web worker."""

import os
import threading
import time
from datetime import UTC, datetime
from random import Random

import structlog

from service.jobs.deliver import deliver
from service.metrics import DELIVERIES
from service.wiring import Home

ROUND_SECONDS = 5.0
_log = structlog.get_logger("wharfinger.outputs")


def start(home: Home) -> None:
    """Start to deliver, if there are outputs; the thread ends with its process, and leases make up for that."""
    if home.outputs:
        threading.Thread(target=_run, args=(home,), name="courier", daemon=True).start()


def _run(home: Home) -> None:
    while True:
        time.sleep(ROUND_SECONDS)
        try:
            go_round(home)
        except Exception:  # noqa: BLE001 -- whatever it was, the next round may do better
            _log.exception("deliveries interrupted")


def go_round(home: Home) -> None:
    """Deliver what is due, count it and log it."""
    for attempt in deliver(home, clock=lambda: datetime.now(UTC), chance=Random(), environ=os.environ):  # noqa: S311 -- spreads load
        message = attempt.message
        DELIVERIES.labels(message.output, attempt.result).inc()
        told = {
            "output": message.output,
            "id": message.id,
            "alert": message.notice.alert.id,
            "attempt": message.attempts,
        }
        if attempt.result == "delivered":
            _log.info("message delivered", **told)
        else:
            _log.warning("message not delivered", **told, result=attempt.result, error=attempt.error)
