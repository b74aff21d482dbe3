"""Lines of text in one piece of memory, so that many can be read together and each alone."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

_NEWLINE, _OPENS, _CLOSES = b"\n{}"
_LONGEST_NUMBER = 4300  # digits that Python makes an integer of


class Lines:
    """Lines that follow each other, ends included; the last may lack its end.

    Parameters
    ----------
    text
        The lines as they stand in a file, at least one byte.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        ends = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE) + 1
        self._edges = np.concatenate([[0], ends, [] if text.endswith(b"\n") else [len(text)]]).astype(np.int64)

    def __len__(self) -> int:
        return len(self._edges) - 1

    def __getitem__(self, position: int) -> bytes:
        """Give one line.

        Raises
        ------
        IndexError
            If there is none, which ends an iteration.
        """
        return self._text[self._edges[position] : self._edges[position + 1]]

    def text(self, start: int, stop: int) -> bytes:
        """Give the lines from `start` on, up to but without `stop`, as one text."""
        return self._text[self._edges[start] : self._edges[stop]]

    def size(self, start: int, stop: int) -> int:
        """Count the bytes of the lines from `start` on, up to but without `stop`."""
        return int(self._edges[stop] - self._edges[start])

    @cached_property
    def are_objects(self) -> bool:
        """Whether each line begins and ends with a brace.

        Of such lines no JSON object extends over two: after a brace that closes, another that opens needs a comma
        between them, and a text in quotes has no line ends.
        """
        letters = np.frombuffer(self._text, np.uint8)
        last = self._edges[1:] - 1
        last = last - (letters[last] == _NEWLINE)
        return bool((letters[self._edges[:-1]] == _OPENS).all() and (letters[last] == _CLOSES).all())

    @cached_property
    def decode_alike(self) -> bool:
        """Whether a decoder that skips fields accepts no line which one that reads every field refuses.

        What it skips it does not look at closely: it passes bytes that are no UTF-8, and numbers of too many digits.
        """
        return self.is_utf8 and bool(np.diff(self._edges).max() <= _LONGEST_NUMBER)

    @cached_property
    def is_utf8(self) -> bool:
        """Whether all of it is."""
        try:
            return self._text.isascii() or bool(self._text.decode())
        except UnicodeDecodeError:
            return False


def in_lines(chunks: Iterator[bytes], longest: int) -> Iterator[Lines]:
    """Cut text at its line ends; a line longer than about `longest` bytes comes in pieces without an end."""
    begun = b""
    for chunk in chunks:
        text = begun + chunk
        end = len(text) if len(text) - text.rfind(b"\n") > longest else text.rfind(b"\n") + 1
        begun = text[end:]
        if end:
            yield Lines(text[:end])
    if begun:
        yield Lines(begun)
