"""Typed access to the values of a decoded record: the right type, nothing, or a `RecordError` that names the field."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from features.protocols import RecordError

LARGEST = 2**63 - 1
LATEST = 4_102_444_800_000_000  # 2100-01-01T00:00:00Z; beyond it lie broken clocks, each with a day of its own
_FAR = 2**33  # seconds: beyond `LATEST`, and far from where arithmetic overflows
_BRACKETED = re.compile(r"\[([^\]]+)\](?::\d+)?")


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """Take an object; absent and null are the empty one.

    Raises
    ------
    RecordError
        If it is anything else.
    """
    if isinstance(value, dict):
        return value
    if value is None:
        return {}
    raise RecordError(f"{field} is not an object")


def items(value: object, field: str) -> list[Any]:
    """Take an array; absent and null are the empty one.

    Raises
    ------
    RecordError
        If it is anything else.
    """
    if isinstance(value, list):
        return value
    if value is None:
        return []
    raise RecordError(f"{field} is not an array")


def text(value: object, field: str) -> str | None:
    """Take a string; absent, null and empty are none.

    Raises
    ------
    RecordError
        If it is anything else.
    """
    if isinstance(value, str):
        return value or None
    if value is None:
        return None
    raise RecordError(f"{field} is not a string")


def strings(value: object, field: str) -> list[str]:
    """Take an array of strings; what is not a string in it is left out."""
    return [item for item in items(value, field) if isinstance(item, str) and item]


def whole(value: object, field: str, largest: int = LARGEST) -> int | None:
    """Take a number of things, 0 to `largest`; decimal strings and whole floats are numbers too.

    Raises
    ------
    RecordError
        If it is negative, absurdly large, fractional or no number.
    """
    if type(value) is int and 0 <= value <= largest:
        return value
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise RecordError(f"{field} is not a whole number") from None
    if isinstance(value, float):
        if not value.is_integer():
            raise RecordError(f"{field} is not a whole number")
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{field} is not a whole number")
    if 0 <= value <= largest:
        return value
    raise RecordError(f"{field} is {value}, outside 0 to {largest}")


def port(value: object, field: str) -> int | None:
    """Take a port, or an ICMP type or code standing in its place."""
    return whole(value, field, 65_535)


def number(value: object, field: str) -> float | None:
    """Take a finite number that is not negative, such as a duration in seconds.

    Raises
    ------
    RecordError
        If it is anything else.
    """
    if type(value) is float and 0 <= value <= LARGEST:
        return value
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise RecordError(f"{field} is not a number") from None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RecordError(f"{field} is not a number")
    if not 0 <= value <= LARGEST:
        raise RecordError(f"{field} is {value}, outside what can be")
    return float(value)


def moment(value: object, field: str) -> int:
    """Take a time: seconds since 1970 (number or string) or ISO 8601, in which no zone means UTC.

    Returns
    -------
    Microseconds since 1970, UTC: the form in which polars takes times from Python without a detour over objects.

    Raises
    ------
    RecordError
        If it is no time, or one before 1970 or after 2099.
    """
    if type(value) is float or type(value) is int:
        micros = _micros(value)
    elif isinstance(value, str) and value:
        micros = _parsed(value, field)
    else:
        raise RecordError(f"{field} is missing" if value in (None, "") else f"{field} is not a time")
    if 0 <= micros < LATEST:
        return micros
    raise RecordError(f"{field} is {value}, outside 1970 to 2099")


def _micros(seconds: float) -> int:
    """Round to microseconds; -1 for what is no time at all, among it what would overflow."""
    return round(seconds * 1_000_000) if -1 < seconds < _FAR else -1


def _parsed(value: str, field: str) -> int:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        try:
            seconds = float(value)
        except ValueError:
            raise RecordError(f"{field} is not a time: {value[:40]}") from None
        return _micros(seconds)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1_000_000)


@lru_cache(maxsize=65_536)
def _canonical(value: str) -> str | None:
    bare = value.partition("%")[0]
    if match := _BRACKETED.fullmatch(bare):
        bare = match[1]
    try:
        return str(ip_address(bare))
    except ValueError:
        return None


def address(value: object, field: str) -> str | None:
    """Take an IPv4 or IPv6 address in its canonical form, without brackets and zone.

    Raises
    ------
    RecordError
        If it is anything else.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and (canonical := _canonical(value)):
        return canonical
    raise RecordError(f"{field} is not an IP address")


def address_or_none(value: object) -> str | None:
    """Take an address if it is one; anything else is none."""
    return _canonical(value) if isinstance(value, str) and value else None
