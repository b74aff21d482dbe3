"""Token buckets: how often each caller may ask."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10_000


class Buckets:
    """A bucket for each name; each asking takes a token, and tokens come at a steady rate.

    Parameters
    ----------
    rate
        Tokens a second; 0 gives as many as are asked for.
    burst
        Tokens that a bucket holds.
    clock
        Seconds, steadily growing.

    Notes
    -----
    Of more than 10,000 names the one that asked the longest ago is forgotten, which fills its bucket.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str) -> float:
        """Take a token; give 0, or the seconds until there will be one, if there is none."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = self._clock()
            tokens, then = self._held.pop(name, (self._burst, now))
            tokens = min(self._burst, tokens + (now - then) * self._rate)
            wait = max(0.0, (1 - tokens) / self._rate)
            self._held[name] = (tokens if wait else tokens - 1, now)
            if len(self._held) > MOST:
                self._held.popitem(last=False)
        return wait
