"""Keeps what the method is tuned on apart from what is reported.

Three splits of made-up estates differ in their random streams, in the names of everything in them, in how an estate is
laid out and in the parameters of the scenarios. Whoever tunes says so, and is refused the test split; what is reported
on the test split was never seen by a choice of method.
"""

from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

import numpy as np


class Split(StrEnum):
    """A third of all made-up estates."""

    DEVELOPMENT = "development"
    VALIDATION = "validation"
    TEST = "test"


class Purpose(StrEnum):
    """Why an estate is looked at."""

    TUNING = "tuning"
    REPORT = "report"


class SplitError(PermissionError):
    """A split was asked for by someone who may not see it."""


@dataclass(frozen=True, slots=True)
class Draw:
    """How a split varies scenarios and layout.

    Parameters
    ----------
    spread
        Numbers of a scenario are multiplied by a factor between 1/spread and spread, even on the log scale.
    layout
        Number from which the simulator chooses hosts, networks and roles.
    """

    spread: float
    layout: int


DRAWS = {Split.DEVELOPMENT: Draw(1.0, 0), Split.VALIDATION: Draw(1.3, 1), Split.TEST: Draw(1.6, 2)}


def admit(split: Split, purpose: Purpose) -> None:
    """Let a purpose see a split.

    Raises
    ------
    SplitError
        If a choice of method would see the test split.
    """
    if split is Split.TEST and purpose is Purpose.TUNING:
        raise SplitError("the test split is only for reports: tune on development, choose on validation")


def streams(split: Split, seed: int, count: int) -> list[np.random.Generator]:
    """Return independent random streams; no seed of one split shares any with a seed of another."""
    return [np.random.default_rng([crc32(split.encode()), seed, number]) for number in range(count)]


def own(names: list[str] | tuple[str, ...], split: Split) -> list[str]:
    """Return the third of a list of names that belongs to a split; every name belongs to exactly one."""
    order = list(Split)
    return [name for name in names if order[crc32(name.encode()) % len(order)] is split]
