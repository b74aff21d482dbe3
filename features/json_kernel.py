"""Machine code that reads lines of JSON; importing it needs numba, and compiles or loads what was compiled.

It reads what programs write in numbers and leaves the rest to a decoder: escapes, objects within objects, numbers whose
digits a double does not hold. What stands before a value, its head, is compared eight bytes at a time and not parsed.
The compiled code is kept where numba can write, and made again by each process where it cannot.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numba import njit, types

# what numba makes of them: arrays of uint8, uint64 and int64, and numbers of the last two
Bytes: TypeAlias = Any
Words: TypeAlias = Any
Numbers: TypeAlias = Any
Word: TypeAlias = Any
Place: TypeAlias = Any
Number: TypeAlias = Any

TEXT, TEXTS, WHOLE, TRUTH, NUMBER = range(5)
SKIPPED, SAID = -1, -2  # in place of a field: nobody wants the value; it belongs to the head
WIDTH = 8  # words of the longest head
PADDING = 8 * WIDTH + 8  # zeros after the text, for what is compared at its end
ABSENT, NO_NUMBER = -1, int(np.float64(np.nan).view(np.int64))

_QUOTE, _COMMA, _OPENS, _SHUTS, _BEGINS, _CLOSES, _NEWLINE, _MINUS, _PLUS, _DOT, _ZERO, _NINE = b'",[]{}\n-+.09'
_E, _SMALL = 0x65, 0x20  # the letter, and the bit that makes a letter small
_MOST_DIGITS, _MOST_POWER = 18, 22
_EXACT = np.uint64(2**53)
_ONE, _TWO, _FOUR, _FIVE, _WORD = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(5), np.uint64(8)
_ZERO_WORD, _TEN, _HALF, _BITS = np.uint64(_ZERO), np.uint64(10), np.uint64(32), np.uint64(64)
_NOWHERE, _NOTHING = np.uint64(0), np.int64(ABSENT)
_POWERS = np.array([float(f"1e{power}") for power in range(_MOST_POWER + 1)])
_NULL, _TRUE, _FALSE = (np.uint64(int.from_bytes(word, "little")) for word in (b"null", b"true", b"false"))
_LOW_FOUR, _LOW_FIVE = np.uint64(2**32 - 1), np.uint64(2**40 - 1)
_ENDS_TEXT = np.array([letter < ord(" ") or chr(letter) in '"\\' for letter in range(256)])

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_WORDS = types.Array(types.uint64, 1, "A", readonly=True)
_READ = types.int64(
    _BYTES, _WORDS, types.uint64, types.uint64[:, ::1], types.int64[:, ::1], types.int64[:, ::1], types.int64[:, ::1]
)
_SPELL = types.int64(_BYTES, types.int64[::1], types.uint8[::1])


@njit(inline="always")
def _begins(words: Words, at: Place, heads: Words, head: int, size: int) -> bool:
    word = 0
    while size >= 8:  # noqa: PLR2004 - bytes of a word
        if words[at] != heads[head, word]:
            return False
        at += _WORD
        word += 1
        size -= 8
    return bool(size == 0 or (words[at] ^ heads[head, word]) << (_BITS - np.uint64(8 * size)) == 0)


@njit(inline="always")
def _end_of_text(text: Bytes, at: Place) -> Place:
    while not _ENDS_TEXT[text[at]]:
        at += _ONE
    return at if text[at] == _QUOTE else _NOWHERE


@njit(inline="always")
def _digits(text: Bytes, at: Place, number: Word) -> tuple[Place, Word]:
    digit = np.uint64(text[at]) - _ZERO_WORD
    while digit < _TEN:
        number = number * _TEN + digit
        at += _ONE
        digit = np.uint64(text[at]) - _ZERO_WORD
    return at, number


@njit(inline="always")
def _power(text: Bytes, at: Place) -> tuple[Place, Number]:
    """Read what stands after an `e`; of many digits, as a power that is refused."""
    down = text[at] == _MINUS
    if down or text[at] == _PLUS:
        at += _ONE
    end, size = _digits(text, at, np.uint64(0))
    power = np.int64(size) if end - at < _FIVE else np.int64(100)
    return (end if end > at else _NOWHERE), (-power if down else power)


@njit(inline="always")
def _number(text: Bytes, at: Place) -> tuple[Place, Word, Number, bool]:
    """Read a number: where it ends, its digits, the power of ten that they count, and whether it is written whole."""
    start = at
    at, number = _digits(text, at, np.uint64(0))
    count, power, whole = at - start, np.int64(0), True
    if count == 0 or (count > 1 and text[start] == _ZERO):
        return _NOWHERE, number, power, whole
    if text[at] == _DOT:
        point, whole = at + _ONE, False
        at, number = _digits(text, point, number)
        if at == point:
            return _NOWHERE, number, power, whole
        power = -np.int64(at - point)
        count += at - point
    if text[at] | _SMALL == _E:
        at, given = _power(text, at + _ONE)
        power += given
        whole = False
    return (at if count <= _MOST_DIGITS else _NOWHERE), number, power, whole


@njit
def _bits(value: float) -> Number:
    return np.float64(value).view(np.int64)


@njit(inline="always")
def _take_number(text: Bytes, at: Place, kind: int, most: int) -> tuple[Place, Number]:
    below = text[at] == _MINUS
    at, digits, power, whole = _number(text, at + np.uint64(below))
    if kind == NUMBER and digits < _EXACT and abs(power) <= _MOST_POWER:
        value = digits / _POWERS[-power] if power < 0 else digits * _POWERS[power]  # exact but for one rounding
        return at, _bits(-value if below else value)
    if kind == SKIPPED or (kind == WHOLE and whole and not below and np.int64(digits) <= most):
        return at, np.int64(digits)
    return _NOWHERE, _NOTHING


@njit(inline="always")
def _take_texts(text: Bytes, at: Place, kind: int) -> tuple[Place, Number]:
    """Read texts, or numbers that nobody wants, in brackets; the value is what lies between those."""
    start = at
    while text[at] != _SHUTS:
        if text[at] == _QUOTE:
            at = _end_of_text(text, at + _ONE)
            at += np.uint64(at != _NOWHERE)
        elif kind == SKIPPED:
            at = _number(text, at + np.uint64(text[at] == _MINUS))[0]
        else:
            return _NOWHERE, _NOTHING
        if at == _NOWHERE or not (text[at] == _SHUTS or (text[at] == _COMMA and text[at + _ONE] != _SHUTS)):
            return _NOWHERE, _NOTHING
        at += np.uint64(text[at] == _COMMA)
    return at + _ONE, np.int64(start << _HALF | (at - start))


@njit(inline="always")
def _take_word(word: Word, at: Place, kind: int) -> tuple[Place, Number]:
    if word & _LOW_FOUR == _NULL:
        return at + _FOUR, np.int64(NO_NUMBER if kind == NUMBER else ABSENT)
    truth = word & _LOW_FOUR == _TRUE
    if (kind == TRUTH or kind == SKIPPED) and (truth or word & _LOW_FIVE == _FALSE):  # noqa: PLR1714, SIM109 - slow so
        return at + (_FOUR if truth else _FIVE), np.int64(truth)
    return _NOWHERE, _NOTHING


@njit(inline="always")
def _take(text: Bytes, words: Words, at: Place, kind: int, most: int) -> tuple[Place, Number]:
    """Read a value: where it ends, or 0 if it is none that is read here, and the value."""
    first = text[at]
    if first == _QUOTE and kind <= TEXT:
        start = at + _ONE
        end = _end_of_text(text, start)
        return (end + _ONE if end != _NOWHERE else end), np.int64(start << _HALF | (end - start))
    if first == _MINUS or _ZERO <= first <= _NINE:
        return _take_number(text, at, kind, most)
    if first == _OPENS and (kind == TEXTS or kind == SKIPPED):  # noqa: PLR1714, SIM109 - slow in machine code
        return _take_texts(text, at + _ONE, kind)
    return _take_word(words[at], at, kind)


def _read_objects(  # noqa: PLR0917 - numba takes no objects, and what is apart takes half as long again
    text: Bytes, words: Words, at: Place, heads: Words, marks: Numbers, fields: Numbers, values: Numbers
) -> Number:
    """Read lines into columns, as many as are there and can be read, and return their number.

    Parameters
    ----------
    text
        Bytes of the lines, (n,), with zeros after them.
    words
        Of each byte, it and the seven that follow as one number, (n - 7,).
    at
        Where the first line begins.
    heads
        What may stand before values: `{"ts":`, `,"uid":`, (h, WIDTH) words.
    marks
        Of each head, its bytes, and the field whose value follows it, or `SKIPPED` or `SAID`, (h, 2).
    fields
        Of each field, what it holds, and of whole numbers the largest, (f, 2).
    values
        Where values go, (f, rows): whole numbers and truths as they are, of others the bits of a double, of texts
        where they begin, shifted by 32 bits, and their bytes. Absent are `ABSENT` and `NO_NUMBER`.
    """
    for row in range(values.shape[1]):
        for field in range(fields.shape[0]):
            values[field, row] = NO_NUMBER if fields[field, 0] == NUMBER else ABSENT
        head, before = -1, _BEGINS
        while text[at] == before:
            for _ in range(marks.shape[0]):
                head = head + 1 if head + 1 < marks.shape[0] else 0
                if _begins(words, at, heads, head, marks[head, 0]):
                    break
            else:
                return row
            at += np.uint64(marks[head, 0])
            field = marks[head, 1]
            if field >= 0:
                at, value = _take(text, words, at, fields[field, 0], fields[field, 1])
                values[field, row] = value
            elif field == SKIPPED:
                at, value = _take(text, words, at, SKIPPED, 0)
            if at == _NOWHERE:
                return row
            before = _COMMA
        if text[at] != _CLOSES or text[at + _ONE] != _NEWLINE or before == _BEGINS:
            return row
        at += _TWO
    return values.shape[1]


def _spell(text: Bytes, spans: Numbers, into: Bytes) -> Number:
    """Write texts one to a line, an absent one as an empty line, and return their bytes."""
    size = 0
    for span in spans:
        if span >= 0:
            start = span >> 32
            for letter in range(start, start + (span & 0xFFFFFFFF)):
                into[size] = text[letter]
                size += 1
        into[size] = _NEWLINE
        size += 1
    return size


def _compiled(signature: Any, function: Callable[..., int]) -> Callable[..., int]:  # noqa: ANN401 - numba's types
    try:
        kept: Callable[..., int] = njit(signature, cache=True, nogil=True)(function)
    except (OSError, RuntimeError):  # nowhere to keep it
        kept = njit(signature, nogil=True)(function)
    return kept


read_objects = _compiled(_READ, _read_objects)
spell = _compiled(_SPELL, _spell)
