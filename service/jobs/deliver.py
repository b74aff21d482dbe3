"""Takes messages from the outbox to their outputs: at least once, in order per alert, again when that fails."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Literal, NamedTuple

from service.outbox import DEAD, DELIVERED, Message
from service.outputs.errors import DeliveryError
from service.outputs.examples import example
from service.outputs.output import Output, Surroundings
from service.wiring import Home

LEASE = timedelta(minutes=5)  # longer than any output takes
MOST_ATTEMPTS = 24  # with the delays below about 15 hours
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=5), timedelta(hours=1)
LONGEST_ASKED = timedelta(days=1)  # that a receiver is left alone for
PATIENCE = 3  # failures in a row, after which an output is left alone until the next round


class Attempt(NamedTuple):
    """What became of one message; `error` is empty if it was delivered."""

    message: Message
    result: Literal["delivered", "failed", "dead"]
    error: str


def deliver(
    home: Home, *, clock: Callable[[], datetime], chance: Random, environ: Mapping[str, str]
) -> Iterator[Attempt]:
    """Deliver what is due; any number of processes may do so at the same time.

    Parameters
    ----------
    clock
        Tells the time, in UTC.
    chance
        Spreads the next attempts, so that many failures do not come back at once.
    environ
        Environment variables, for secrets.

    Yields
    ------
    Each attempt once its outcome is stored.
    """
    outbox = home.outbox
    for output in home.outputs:
        failures = 0
        while failures < PATIENCE:
            holder = secrets.token_hex(8)
            message = outbox.claim(output.name, now=clock(), lease=LEASE, holder=holder)
            if message is None:
                break
            error = _send(output, message, Surroundings(now=clock(), environ=environ))
            now = clock()
            if error is None:
                outbox.settle(message, DELIVERED, now=now, holder=holder)
                failures = 0
                yield Attempt(message, "delivered", "")
            elif error.permanent or message.attempts >= MOST_ATTEMPTS:
                outbox.settle(message, DEAD, now=now, holder=holder, error=str(error))
                yield Attempt(message, "dead", str(error))
            else:
                outbox.postpone(message, now + delay(message.attempts, error, chance), holder=holder, error=str(error))
                failures += 1
                yield Attempt(message, "failed", str(error))


def try_out(output: Output, public_url: str, *, now: datetime, environ: Mapping[str, str]) -> None:
    """Send a message that is marked as a test, past the outbox.

    Raises
    ------
    DeliveryError
        If it did not arrive.
    """
    output.send(example(now, secrets.token_hex(16), public_url), Surroundings(now=now, environ=environ))


def delay(attempts: int, error: DeliveryError, chance: Random) -> timedelta:
    """Tell how long to wait after a failure: twice as long each time, up to an hour, less up to a half by chance.

    A receiver that says when to come again is not asked before.
    """
    longest: timedelta = min(FIRST_DELAY * 2 ** min(attempts - 1, 20), LONGEST_DELAY)
    asked = timedelta(seconds=min(error.retry_after or 0.0, LONGEST_ASKED.total_seconds()))
    return max(longest * chance.uniform(0.5, 1.0), asked)


def _send(output: Output, message: Message, surroundings: Surroundings) -> DeliveryError | None:
    if message.attempts > MOST_ATTEMPTS:  # whoever tried before did not live to say what happened
        return DeliveryError("given up: no attempt came to an end", permanent=True)
    try:
        output.send(message.notice, surroundings)
    except DeliveryError as error:
        return error
    return None
