"""What the web process keeps between requests: the home, and the champion model as of a moment ago."""

import gc
import threading
import time
from dataclasses import dataclass

import structlog
from flask import current_app

from models.detector import Detector
from models.errors import ArtefactError
from service.access.gate import Gate
from service.wiring import Home, champion

_log = structlog.get_logger("wharfinger.model")
_EXTENSION = "wharfinger"


class ModelWatch:
    """Follows the champion pointer, so that a promoted model serves without a restart.

    Parameters
    ----------
    home
        Where models are promoted.
    interval
        Seconds between two looks at the pointer.
    """

    def __init__(self, home: Home, interval: float) -> None:
        self._home = home
        self._interval = interval
        self._looked: float | None = None
        self._lock = threading.Lock()
        self._detector: Detector | None = None
        self.problem: str | None = None

    def get(self) -> Detector | None:
        """Give the champion, or None while there is none.

        While one thread loads a new champion the others go on with the old one. A champion that cannot be loaded
        leaves the old one in place and stands in `problem`.
        """
        now = time.monotonic()
        due = self._looked is None or now - self._looked >= self._interval
        if due and self._lock.acquire(blocking=self._looked is None):
            try:
                self._look()
                self._looked = now
            finally:
                self._lock.release()
        return self._detector

    def _look(self) -> None:
        before = self._detector.version if self._detector else None
        try:
            self._detector = champion(self._home)
        except ArtefactError as error:
            if str(error) != self.problem:
                _log.error("model refused", reason=str(error), still_serving=before)
            self.problem = str(error)
            return
        self.problem = None
        if self._detector and self._detector.version != before:
            _settle()
            _log.info("model loaded", version=self._detector.version, before=before)


def _settle() -> None:
    """Leave the model, which stays, out of every later search for garbage: that takes a tenth of a request's time."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@dataclass(frozen=True)
class State:
    """The application's state: where everything is, which model answers, and who may ask it."""

    home: Home
    model: ModelWatch
    gate: Gate

    def attach(self, extensions: dict[str, object]) -> None:
        """Make this the state of the application that owns `extensions`."""
        extensions[_EXTENSION] = self


def state() -> State:
    """Give the state of the application that handles the current request."""
    found = current_app.extensions[_EXTENSION]
    if not isinstance(found, State):
        raise TypeError("the application has no state")
    return found
