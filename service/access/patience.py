"""Patience with an identity provider that cannot be reached: callers are told so, and do not wait for it in turn."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from service.access.callers import UnverifiableError

TIMEOUT = 3.0  # seconds that the provider may take to answer
PAUSE = 10.0  # seconds that it is not asked again after it could not be reached


class Patience:
    """Lets one ask at a time, and for a while nobody after it was in vain."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: float | None = None

    @contextmanager
    def asking(self, *failures: type[Exception]) -> Iterator[None]:
        """Ask within it.

        Parameters
        ----------
        failures
            Errors that mean that the provider could not be reached, beside those of the operating system.

        Raises
        ------
        UnverifiableError
            In their place, and without asking for a while after one.
        """
        caught: tuple[type[Exception], ...] = (*failures, OSError, ValueError)
        with self._lock:
            if self._failed is not None and time.monotonic() - self._failed < PAUSE:
                raise UnverifiableError("The identity provider cannot be reached")
            try:
                yield
            except caught:
                self._failed = time.monotonic()
                raise UnverifiableError("The identity provider cannot be reached") from None
