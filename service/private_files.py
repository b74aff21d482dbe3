"""Secrets that are made here: files that their owner alone may read."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path


class PrivateFileError(Exception):
    """A secret cannot be used; the message is one line and says what to do."""


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Read a secret, or make it: of two processes that start at once exactly one's is kept, whole (0600).

    Parameters
    ----------
    path
        In a folder that exists.
    make
        Makes the content.

    Raises
    ------
    PrivateFileError
        If it cannot be read, or others can read it.
    """
    try:
        if not path.exists():
            _write(path, make())
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PrivateFileError(f"{path} can be read by others; run: chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise PrivateFileError(f"cannot read {path}: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()
