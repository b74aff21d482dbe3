"""Why a window is strange, in words that a person would use."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from features.novelty import NEW_TO
from features.protocols import FeatureSpec, specs
from models.backoff import Standing
from models.scores import Reason, Severity

TELLING = 3.0  # bits below which a feature is no reason
MOST = 6
TYPICAL = 2.0  # standard deviations that bound what is usual
BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def quantity(value: float, unit: str) -> str:
    """Write a value with its unit.

    Examples
    --------
    >>> quantity(12_400_000, "byte"), quantity(3, "connection"), quantity(90, "second")
    ('12.4 MB', '3', '1.5 min')
    """
    if unit == "byte":
        power = min(int(math.log10(max(value, 1)) // 3), len(BYTE_UNITS) - 1)
        return f"{value / 1000**power:.3g} {BYTE_UNITS[power]}"
    if unit == "second":
        if value >= 3600:  # noqa: PLR2004 (an hour)
            return f"{value / 3600:.1f} h"
        return f"{value / 60:.1f} min" if value >= 60 else f"{value:.1f} s"  # noqa: PLR2004 (a minute)
    if unit == "character":
        return f"{value:.0f} characters"
    return f"{value:.0f}"


def plural(unit: str, count: int) -> str:
    """Write a count of units.

    Examples
    --------
    >>> plural("registry", 2), plural("destination", 1), plural("tag and digest", 3), plural("address", 0)
    ('2 registries', '1 destination', '3 tags and digests', '0 addresses')
    """
    if count == 1:
        return f"1 {unit}"
    words = " and ".join(_plural(part) for part in unit.split(" and "))
    return f"{count:,} {words}"


def _plural(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "ch", "sh", "x")) else f"{word}s"


def magnitude_reason(spec: FeatureSpec, row: Mapping[str, Any], standing: Standing) -> Reason:
    """Explain a count or magnitude by the range that is usual at this hour."""
    low = max(math.expm1(row["mean"] - TYPICAL * row["spread"]), 0)
    high = math.expm1(min(row["mean"] + TYPICAL * row["spread"], 700.0))
    lower, upper = quantity(low, spec.unit), quantity(high, spec.unit)
    expected = f"{lower} to {upper}" if lower != upper else upper
    count = spec.kind == "count" or spec.unit == "point"
    value = plural(spec.unit, round(row["value"])) if count else quantity(row["value"], spec.unit)
    return Reason(
        feature=spec.name,
        value=value,
        expected=expected,
        bits=round(row["believed"], 2),
        technique=spec.technique,
        text=spec.sentence.format(value=value, expected=expected),
        amount=row["value"],
        level=standing.level,
        maturity=standing.maturity,
    )


def item_reason(spec: FeatureSpec, row: Mapping[str, Any], standing: Standing) -> Reason:
    """Explain an item by how new it is and how many of its kind the workload knows."""
    known = plural(spec.unit, row["items"])
    expected = f"{known} known, this one rare" if row["level"] == 0 else f"{known} known; {NEW_TO[row['level']]}"
    more = f" and {row['others']} more" if row["others"] and row["level"] else ""
    return Reason(
        feature=spec.name,
        value=row["item"],
        expected=expected,
        bits=round(row["believed"], 2),
        technique=spec.technique,
        text=spec.sentence.format(value=f"{row['item']}{more}", expected=expected),
        level=standing.level,
        maturity=standing.maturity,
    )


def earlier(reason: Reason, since: timedelta) -> Reason:
    """Say of a reason how long before the window it was seen; nothing if it is of the window itself."""
    if not since:
        return reason
    minutes = round(since.total_seconds() / 60)
    return msgspec.structs.replace(reason, text=f"{reason.text}, {minutes} minutes earlier")


def undone(reasons: Sequence[Reason], score: float, severity: Severity) -> str:
    """Say what a window would have scored without some of its reasons.

    Examples
    --------
    >>> new = Reason(feature="network.new_domain", value="x.example", expected="", bits=9.0, technique="", text="")
    >>> undone([new], 0.21, "none")
    'would have scored 0.21 (none) without x.example in network.new_domain'
    """
    without = [
        f"{reason.value} in {reason.feature}"
        if specs()[reason.feature].kind == "items"
        else f"more {reason.feature} than usual ({reason.expected})"
        for reason in reasons
    ]
    return f"would have scored {score:.2f} ({severity}) without {' and '.join(without)}"
