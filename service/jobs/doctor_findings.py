"""What `wharfinger doctor` looks at, and what it finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from service.settings import Settings
from service.wiring import Home, look_into

Level = Literal["ok", "warn", "fail"]


class Found(NamedTuple):
    """What a check found, and what to do about it."""

    level: Level
    told: str
    advice: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the check of this name found."""

    check: str
    level: Level
    told: str
    advice: str


@dataclass(frozen=True)
class Site:
    """An installation that is looked at.

    Parameters
    ----------
    settings
        Its settings.
    environ
        The environment that they, and secrets of outputs, come from.
    now
        The time.
    wait
        Waits for seconds.
    """

    settings: Settings
    environ: Mapping[str, str]
    now: datetime
    wait: Callable[[float], None]

    @cached_property
    def home(self) -> Home:
        """Its home, opened without changing anything; raises what `service.wiring.look_into` does."""
        return look_into(self.settings)


def ok(told: str) -> Found:
    """Find something to be as it should."""
    return Found("ok", told)


def warn(told: str, advice: str = "") -> Found:
    """Find something that works and may not for long, or not as meant."""
    return Found("warn", told, advice)


def fail(told: str, advice: str = "") -> Found:
    """Find something that does not work."""
    return Found("fail", told, advice)
