"""The process beside the web workers that takes accepted events into the lake and scores windows as they close.

`python -m service.leading PID` runs until it is told to stop, or the process PID that started it is gone.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from service.jobs.errors import JobError
from service.jobs.fold import fold
from service.jobs.follow import LEASE, follow, tidy
from service.leases import Lease, kept
from service.logs import configure_logs
from service.metrics import LEADER, SCORING
from service.settings import Settings
from service.state import ModelWatch
from service.wiring import Home, open_home

_TIDY = timedelta(hours=1)
_log = structlog.get_logger("wharfinger.leader")


class Leading:
    """Takes turns until told to stop.

    Every server of a home empties the spool, since a spool lies on one machine; of all servers of a database one, which
    holds the lease, scores.

    Parameters
    ----------
    home
        Whose intake it is.
    alive
        Tells whether whoever started this still runs.
    """

    def __init__(self, home: Home, alive: Callable[[], bool]) -> None:
        self._home, self._alive = home, alive
        self._stop = threading.Event()
        self._lease = Lease(home.database, LEASE)
        self._model = ModelWatch(home, home.settings.model_poll_seconds)
        self._told = ""
        self._tidied = datetime.min.replace(tzinfo=UTC)

    def stop(self) -> None:
        """End after the turn that is under way."""
        self._stop.set()

    def run(self) -> None:
        """Follow until this process leads, then lead until another does."""
        LEADER.set(0)
        while self._goes_on():
            self._attempt(self._follow)

    def _follow(self) -> None:
        self._fold(datetime.now(UTC))
        if not self._lease.take(time.monotonic()):
            self._stop.wait(min(1.0, self._home.settings.score_seconds))
            return
        with kept(self._lease) as lost:
            _log.info("leading", holder=self._lease.holder)
            LEADER.set(1)
            while self._goes_on() and not lost.is_set():
                self._attempt(self._lead)
            LEADER.set(0)
        _log.info("no longer leading", holder=self._lease.holder)

    def _lead(self) -> None:
        began = time.monotonic()
        try:
            now = datetime.now(UTC)
            self._fold(now)
            if scores := follow(self._home, now=now, model=self._model.get):
                seconds = time.monotonic() - began
                SCORING.observe(seconds)
                _log.info("windows scored", scores=len(scores), until=scores[-1].window_end, seconds=round(seconds, 2))
            if now - self._tidied >= _TIDY:
                tidy(self._home, now=now)
                self._tidied = now
            self._told = ""
        finally:  # never more than half of a processor
            self._stop.wait(max(self._home.settings.score_seconds, time.monotonic() - began))

    def _fold(self, now: datetime) -> None:
        with suppress(JobError):  # another server of the same home is at it
            fold(self._home, now=now)

    def _attempt(self, turn: Callable[[], None]) -> None:
        try:
            turn()
        except JobError as error:  # such as no model yet: told once, tried again
            self._tell("waiting", str(error))
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next turn may succeed and intake must go on
            self._tell("turn failed", f"{type(error).__name__}: {error}")
            self._stop.wait(1.0)

    def _tell(self, event: str, reason: str) -> None:
        if reason != self._told:
            _log.warning(event, reason=reason)
        self._told = reason

    def _goes_on(self) -> bool:
        return not self._stop.is_set() and self._alive()


def main() -> None:
    """Lead on behalf of the server whose process id is the argument."""
    server = int(sys.argv[1])
    settings = Settings.load(None, os.environ)
    configure_logs(settings.log_level)
    leading = Leading(open_home(settings), lambda: os.getppid() == server)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the server tells when to stop
    signal.signal(signal.SIGTERM, lambda *_: leading.stop())
    leading.run()


if __name__ == "__main__":
    main()
