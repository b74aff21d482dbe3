"""What scoring returns: frozen results that render elsewhere."""

from typing import Literal, get_args

import msgspec

Severity = Literal["none", "low", "medium", "high", "critical"]
Level = Literal["workload", "image", "cohort", "fleet"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a window is strange: one feature, what it was and what was expected.

    `amount` is the value of a count or magnitude as a number. `explained` names who vouched for it, such as the id of
    an announced change: the reason is shown and does not raise the score.
    `level` is whose history the expectation stood on, `maturity` in [0, 1) how much the workload's own counts in it.
    """

    feature: str
    value: str
    expected: str
    bits: float
    technique: str
    text: str
    amount: float | None = None
    explained: str | None = None
    level: Level | None = None
    maturity: float | None = None


class Attribution(msgspec.Struct, frozen=True, kw_only=True):
    """How the forest came to isolate a window, in splits (Saabas, 2014).

    `path_length` is `expected_path_length`, that of training windows, less the sum of `credit` over features.
    """

    expected_path_length: float
    path_length: float
    credit: dict[str, float]


class Counterfactual(msgspec.Struct, frozen=True, kw_only=True):
    """The fewest features whose evidence must go for a window to fall below a severity, and what it scores then."""

    without: list[str]
    score: float
    bits: float
    severity: Severity
    text: str


class BaselineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer stood on: the level of back-off, its maturity in [0, 1] and the number of windows learnt."""

    level: Level
    maturity: float
    windows: int


class Score(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Calibrated surprise of one window of one workload; higher is stranger.

    `bits` is `-log2(p_value)`, unbounded: rank by it. `score = bits / (bits + 10)` lies in [0, 1). `evidence` holds
    bits per family. Times are RFC 3339 in UTC. `attribution` and `counterfactual` come with severities from
    `medium` up; the latter only where reasons can be told without which the severity would be lower. `revision` counts
    how often a stored score changed since: its window was scored again, for late events, a verdict or another model.
    """

    workload: str
    window_start: str
    window_end: str
    score: float
    bits: float
    p_value: float
    severity: Severity
    evidence: dict[str, float]
    reasons: list[Reason]
    baseline: BaselineInfo
    model: str
    attribution: Attribution | None = None
    counterfactual: Counterfactual | None = None
    revision: int = 0
