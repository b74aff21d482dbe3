"""Sweeps: one kind of act over the values of its axes, each cell to be played on a victim of its own."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import msgspec

from service.emulation.scenario import Scalar, Scenario, Victim

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0
NIGHT = (0.0, 5.0)
WORKING = (9.0, 17.0)
_SETTLING = 600.0
_LOOKING_ROUND = (
    "id", "whoami", "env", "mount", "ps aux", "cat /proc/1/environ", "ip route", "ls /run", "df", "uname -a",
)  # fmt: skip


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of values.

    Parameters
    ----------
    sweep, axes
        Which sweep, and its axes in order with the values they have here.
    scenario
        What is played, in the variant `middle`; all values are fixed.
    seconds
        How long it takes from the first step to the last telemetry.
    hours
        Between which hours of the day it begins.
    """

    sweep: str
    axes: tuple[tuple[str, Scalar], ...]
    scenario: Scenario
    seconds: float
    hours: tuple[float, float] = (0.0, 24.0)

    @property
    def name(self) -> str:
        """Return the sweep with its values, as in "beacon: period 60, jitter 0.2, check-ins 20"."""
        return f"{self.sweep}: " + ", ".join(f"{axis} {value}" for axis, value in self.axes)


def sweeps() -> tuple[Cell, ...]:
    """Return every cell of every sweep."""
    return tuple(cell for sweep in (_beacons, _exfiltration, _names, _delays, _replicas, _times) for cell in sweep())


def fitting(cells: Iterable[Cell], seconds: float) -> tuple[list[Cell], list[Cell]]:
    """Divide cells into those that an estate of so many seconds can hold, and those that are left out."""
    cells = list(cells)
    return [cell for cell in cells if cell.seconds <= seconds], [cell for cell in cells if cell.seconds > seconds]


def _beacons() -> Iterator[Cell]:
    """Vary N01 over TLS to a name like a vendor's, as the victim itself speaks; jitter below 0: exponential gaps."""
    for period, jitter, count in product(
        (10.0, MINUTE, 15 * MINUTE, HOUR, 6 * HOUR), (0.0, 0.2, 0.5, -1.0), (5, 20, 100)
    ):
        step = {"do": "beacon", "to": "site", "period": period, "jitter": jitter, "lasting": (count - 0.5) * period}
        spread = "exponential" if jitter < 0 else jitter
        yield Cell(
            sweep="beacon",
            axes=(("period", period), ("jitter", spread), ("check-ins", count)),
            scenario=_scenario("N01", "T1071.001", "network", (step,), site="plausible"),
            seconds=count * period + _SETTLING,
        )


def _exfiltration() -> Iterator[Cell]:
    """Vary N17: for six hours, every ten minutes, to a bucket of a similar name."""
    for rate in (0.1, 1.0, 10.0, 100.0):
        step = {"do": "upload", "to": "site", "sent": rate * 1e6 / 6, "count": 36, "every": HOUR / 6, "seconds": 20}
        yield Cell(
            sweep="exfiltration",
            axes=(("MB an hour", rate),),
            scenario=_scenario(
                "N17", "T1048.002", "network", (step,), site="lookalike", roles=("db", "cache", "search", "queue")
            ),
            seconds=6 * HOUR + _SETTLING,
        )


def _names() -> Iterator[Cell]:
    """Vary N08, up to the rate of N07: long names, answers that nobody connects to."""
    for rate, per_hour, lasting in (("1/h", 1.0, 12 * HOUR), ("1/min", 60.0, 3 * HOUR), ("20/s", 72_000.0, 6 * MINUTE)):
        step = {"do": "lookups", "to": "site", "per_hour": per_hour, "lasting": lasting, "length": 32}
        yield Cell(
            sweep="dns",
            axes=(("questions", rate),),
            scenario=_scenario("N08", "T1071.004", "network", (step,)),
            seconds=lasting + _SETTLING,
        )


def _delays() -> Iterator[Cell]:
    """Vary I01: an image of a registry that nobody knows is run some time after it was pulled."""
    for delay, seconds in (("1 s", 1.0), ("1 h", HOUR), ("3 d", 3 * DAY)):
        image = "site/ngnix/nginx-alpine:latest"
        steps = ({"do": "pull", "image": image}, {"do": "run", "at": seconds, "image": image})
        yield Cell(
            sweep="pull to run",
            axes=(("delay", delay),),
            scenario=_scenario("I01", "T1204.003", "pulls", steps, victim=Victim(kind="host")),
            seconds=seconds + _SETTLING,
        )


def _replicas() -> Iterator[Cell]:
    """Vary D04: one, half or all of a service's replicas come back with weaker settings."""
    settings = {"CapAdd": ["SYS_ADMIN"], "PidMode": "host", "SecurityOpt": ["seccomp=unconfined"]}
    for share in ("one", "half", "all"):
        step = {"do": "recreate", "settings": settings, "replicas": share}
        victim = Victim(roles=("web", "api", "worker"), replicated=True)
        yield Cell(
            sweep="replicas",
            axes=(("replaced", share),),
            scenario=_scenario("D04", "T1610", "config", (step,), victim=victim),
            seconds=_SETTLING,
        )


def _times() -> Iterator[Cell]:
    """Vary E01: ten commands in ten seconds, at night or while people work."""
    step = {"do": "exec", "commands": list(_LOOKING_ROUND), "every": 1.0}
    for name, hours in (("night", NIGHT), ("working hours", WORKING)):
        yield Cell(
            sweep="time of day",
            axes=(("begun", name),),
            scenario=_scenario("E01", "T1609", "control", (step,)),
            seconds=_SETTLING,
            hours=hours,
        )


def _scenario(
    scenario: str,
    technique: str,
    family: str,
    steps: tuple[Mapping[str, Any], ...],
    *,
    site: str = "stranger",
    roles: tuple[str, ...] = ("web", "worker", "api"),
    victim: Victim | None = None,
) -> Scenario:
    return Scenario(
        id=scenario, name="Sweep", summary="A scenario with fixed values.", techniques=(technique,), families=(family,),
        victim=victim or Victim(roles=roles), sites={"site": {"kind": site}}, steps=tuple(dict(step) for step in steps),
    )  # fmt: skip
