"""What scoring returns: frozen results that render elsewhere."""

from typing import Literal, get_args

import msgspec

Severity = Literal["none", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a window is strange: one feature, what it was and what was expected.

    `amount` is the value of a count or magnitude as a number. `explained` names who vouched for it, such as the id of
    an announced change: the reason is shown and does not raise the score.
    """

    feature: str
    value: str
    expected: str
    bits: float
    technique: str
    text: str
    amount: float | None = None
    explained: str | None = None


class BaselineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer stood on: the level of back-off, its maturity in [0, 1] and the number of windows learnt."""

    level: Literal["workload", "image", "cohort", "fleet"]
    maturity: float
    windows: int


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Calibrated surprise of one window of one workload; higher is stranger.

    `bits` is `-log2(p_value)`, unbounded: rank by it. `score = bits / (bits + 10)` lies in [0, 1). `evidence` holds
    bits per family. Times are RFC 3339 in UTC.
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
