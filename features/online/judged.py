"""What tables of patterns say of settings, commands and requests: asked of polars once for each that is new.

The tables are matched by one and the same code here and in `features.extractors`. A plan costs milliseconds however
little it matches, so that answers are kept: what a workload does today it mostly did yesterday.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, NamedTuple, TypeVar

import polars as pl

from features.commands import COMMANDS
from features.dangers import met
from features.events import EPOCH, EVENT_SCHEMA, TIME
from features.online.moments import Row
from features.posture import SAFEGUARD, danger, safeguards
from features.request_danger import REQUEST_COLUMNS, RequestKey, dangers_of, request_key

K = TypeVar("K")
V = TypeVar("V")
SIZE: Final = 1 << 16

Dangers = tuple[tuple[str, float], ...]  # name and points


class Setting(NamedTuple):
    """What a setting means.

    Parameters
    ----------
    danger
        Points.
    safeguard
        Whether it only takes rights away.
    concerned, satisfied
        Rules of `features.posture.MISSING` that concern it, and those that it satisfies, as bits.
    """

    danger: float
    safeguard: bool
    concerned: int
    satisfied: int


class Judged(Generic[K, V]):
    """Answers by what was asked for, computed for all that are new at once.

    Parameters
    ----------
    judge
        Computes the answers of many.
    """

    def __init__(self, judge: Callable[[list[K]], Mapping[K, V]]) -> None:
        self._judge = judge
        self._known: dict[K, V] = {}

    def of(self, asked: Iterable[K]) -> dict[K, V]:
        """Give the answer of each."""
        distinct = dict.fromkeys(asked)
        found = {key: self._known[key] for key in distinct if key in self._known}
        if new := [key for key in distinct if key not in found]:
            answers = self._judge(new)
            if len(self._known) + len(answers) > SIZE:
                self._known = {}
            self._known.update(answers)
            found.update(answers)
        return found

    def forget(self) -> None:
        """Drop what is known, so that all is computed anew."""
        self._known = {}


def _settings(tokens: list[str]) -> dict[str, Setting]:
    series = pl.Series("config", tokens, pl.String)
    table = series.to_frame().select(
        danger(pl.col("config")).alias("danger"),
        (pl.col("config").str.contains(SAFEGUARD) | pl.col("config").str.starts_with("Healthcheck=")).alias("safe"),
    )
    concerned, satisfied = (_bits(found) for found in safeguards(series))
    return {
        token: Setting(points, safe, concerned.get(token, 0), satisfied.get(token, 0))
        for token, points, safe in zip(tokens, table["danger"], table["safe"], strict=True)
    }


def _bits(found: pl.DataFrame) -> dict[str, int]:
    bits: dict[str, int] = {}
    for token, number in found.select("config", "number").rows():
        bits[token] = bits.get(token, 0) | 1 << number
    return bits


def _commands(commands: list[str]) -> dict[str, Dangers]:
    found = met(pl.Series("command", commands, pl.String), COMMANDS)
    answers: dict[str, Dangers] = dict.fromkeys(commands, ())
    for command, name, points in found.select("command", "danger", "points").rows():
        answers[command] += ((name, points),)
    return answers


def _requests(requests: list[RequestKey]) -> dict[RequestKey, Dangers]:
    schema = {"workload": pl.String(), "window_start": TIME, **{name: EVENT_SCHEMA[name] for name in REQUEST_COLUMNS}}
    frame = pl.DataFrame([(str(n), EPOCH, *key) for n, key in enumerate(requests)], schema=schema, orient="row")
    answers: dict[RequestKey, Dangers] = dict.fromkeys(requests, ())
    for number, name, points in dangers_of(frame).select("workload", "danger", "points").rows():
        answers[requests[int(number)]] += ((name, points),)
    return answers


settings: Final = Judged(_settings)
commands: Final = Judged(_commands)
_known_requests: Final = Judged(_requests)


def requests(rows: Iterable[Row]) -> list[tuple[Row, Dangers]]:
    """Give the dangers of each request, each at its most."""
    keyed = [(row, request_key(row)) for row in rows]
    answers = _known_requests.of(key for _, key in keyed)
    return [(row, answers[key]) for row, key in keyed]


def forget() -> None:
    """Drop what is known of settings, commands and requests."""
    for known in (settings, commands, _known_requests):
        known.forget()
