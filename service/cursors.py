"""Opaque page cursors: a position in an ordering, bound to the question that it continues."""

import base64
import binascii
import hashlib
from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
_DIGEST = 6


class CursorError(ValueError):
    """The cursor was not issued for this question, or was altered."""


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last row of a page: the value it was ordered by (µs since 1970, or bits), its window and its workload."""

    value: float
    window_start: int
    workload: str


def issue(position: msgspec.Struct, question: object) -> str:
    """Make the cursor that continues after `position` for the same question (filters and order)."""
    body = msgspec.json.encode(position)
    return base64.urlsafe_b64encode(_digest(body, question) + body).decode().rstrip("=")


def redeem(cursor: str, question: object, kind: type[T]) -> T:
    """Read a cursor back.

    Parameters
    ----------
    kind
        What `issue` was given.

    Raises
    ------
    CursorError
        If it is damaged or belongs to another question. A forged one is harmless: it names a position, nothing else.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, body = raw[:_DIGEST], raw[_DIGEST:]
        if digest == _digest(body, question):
            return msgspec.json.decode(body, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        pass
    raise CursorError("the cursor was not issued for this query; start again without it")


def _digest(body: bytes, question: object) -> bytes:
    return hashlib.blake2b(body + msgspec.json.encode(question), digest_size=_DIGEST).digest()
