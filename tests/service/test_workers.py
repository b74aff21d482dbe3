import math
import threading
import time

import pytest
from gunicorn.workers.gthread import ThreadWorker

from service.workers import BODY_SECONDS, PatientWorker


def test_a_request_that_waits_for_its_turn_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """While all threads are busy answering, no deadline runs; with its turn comes the one of the body."""
    monkeypatch.setattr(ThreadWorker, "handle_request", lambda *_: None)
    worker = object.__new__(PatientWorker)  # without what gunicorn's master gives a worker
    worker._answering = threading.BoundedSemaphore(1)
    worker._deadlines = {"waiting": time.monotonic()}
    waiting = threading.Thread(target=worker.handle_request, args=(None, "waiting"))

    with worker._answering:
        waiting.start()
        while worker._deadlines["waiting"] != math.inf:
            time.sleep(0.01)
        assert waiting.is_alive()
    waiting.join()

    assert 0 < worker._deadlines["waiting"] - time.monotonic() <= BODY_SECONDS
