"""Who speaks in an act, from which address and until when: rows are written once it is known that they were there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from service.emulation.estate.cast import Cast
from service.emulation.estate.engine import FOREVER, Lease
from service.emulation.estate.ids import iso
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Site
from service.emulation.estate.world import HOUR, World

_INSTANT = 0.001


@dataclass(frozen=True)
class Turn:
    """Times at which somebody speaks from an address; `left` is for how long after each it is still theirs."""

    ts: np.ndarray
    address: str
    left: np.ndarray


@dataclass(frozen=True)
class Speaker:
    """An address that somebody holds for the time of a lease (none: for good).

    What runs in the victim's container dies with it; a foothold's own command comes back when it restarts.
    """

    address: str
    lease: Lease | None = None
    foothold: Any = None

    def turn(self, ts: np.ndarray) -> Turn:
        """Return those of the times at which the speaker lived."""
        lease = self.lease if self.foothold is None else self.foothold.lease
        begin, end = (lease.start, lease.end) if lease else (0.0, FOREVER)
        address = lease.address if lease else self.address
        ts = ts[(ts >= begin) & (ts < end)]
        return Turn(ts, address, end - ts)


def speak(
    cast: Cast, who: str, ts: np.ndarray, write: Callable[[Turn], None], *, seconds: float = 0.0, network: str = ""
) -> None:
    """Have `write` called for the times `ts` (sorted), an hour of them at a time, as long as the speaker lives.

    It is called after the last of them has ended, `seconds` later, but within the same day: a day is written at its
    end. `network` is where the other end is, should the speaker have an address of its own there.
    """
    speaker = _speaker(cast, who, network)
    ts = ts[ts < cast.world.options.end]
    if speaker is None or not len(ts):
        return
    start = cast.world.options.start
    hour = ((ts - start) // HOUR).astype(np.int64)
    for number in np.unique(hour).tolist():
        part = ts[hour == number]
        midnight = start + (number // 24 + 1) * DAY
        due = max(part[-1], min(part[-1] + seconds, midnight - _INSTANT))
        cast.world.at(due, _say, cast, speaker, part, partial(_until, seconds, write))


def beat(rng: np.random.Generator, start: float, lasting: float, period: float, jitter: float) -> np.ndarray:
    """Draw times from `start` on: gaps differ from the period by a share of `jitter`, below 0 they are exponential."""
    expected = lasting / period
    if jitter < 0:
        gaps = rng.exponential(period, int(expected + 6 * expected**0.5) + 8)
    else:
        gaps = period * (1 + rng.uniform(-jitter, jitter, int(expected / (1 - min(jitter, 0.95))) + 2))
    ts: np.ndarray = start + np.concatenate(([0.0], np.cumsum(gaps)))
    return ts[ts < start + lasting]


def resolve(cast: Cast, turn: Turn, site: Site, share: float = 0.3) -> None:
    """Look a site up before its first use in a turn, and before a share of the later ones."""
    if not site.name or not len(turn.ts):
        return
    found = site.at(turn.ts)
    needed = cast.rng.random(len(found)) < share
    needed[np.unique(found.astype(str), return_index=True)[1]] = True
    lead = cast.rng.uniform(0.004, 0.06, int(needed.sum()))
    cast.world.wire.look_up(turn.ts[needed] - lead, turn.address, site.name, found[needed])


def _speaker(cast: Cast, who: str, network: str) -> Speaker | None:
    if who == "host":
        return Speaker(cast.address("host"))
    try:
        container = cast.container(who)
        shared = getattr(container, "network", "")  # a pod has none
        if shared.startswith("container:"):
            who, container = "victim", cast.container("victim")
    except LookupError as error:
        cast.notes.append(str(error))
        return None
    if shared in {"none", "host"}:
        cast.notes += [f"{container.name} has no network"] if shared == "none" else []
        return Speaker(cast.address("host")) if shared == "host" else None
    address = cast.address(who)
    if network in getattr(container, "extra_networks", {}):
        return Speaker(container.extra_networks[network])
    return Speaker(address, container.lease, container if container is cast.foothold else None)


def _say(
    _: World, __: float, cast: Cast, speaker: Speaker, ts: np.ndarray, write: Callable[[Cast, Turn], None]
) -> None:
    turn = speaker.turn(ts)
    lease = speaker.lease
    if len(turn.ts) < len(ts) and lease is not None and lease.end < FOREVER:
        note = f"ended with its container at {iso(lease.end)}"
        cast.notes += [note] if note not in cast.notes else []
    if len(turn.ts):
        write(cast, turn)


def _until(seconds: float, write: Callable[[Turn], None], cast: Cast, turn: Turn) -> None:
    cast.lasts(float(np.max(turn.ts + np.minimum(turn.left, seconds))))
    write(turn)
