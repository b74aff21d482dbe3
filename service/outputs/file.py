"""File: one line of JSON per message, appended and synced, with rotation by size."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec

from service.outputs.errors import DeliveryError
from service.outputs.formats import Format, encode
from service.outputs.notices import Notice
from service.outputs.output import Output, Surroundings


class File(Output, frozen=True, kw_only=True, tag="file"):
    """Appends to the file at `path`, readable by its owner only.

    Before it would grow beyond `max_bytes` it is renamed to `path.1`, that one to `path.2` and so on; `keep` of them
    stay.
    """

    path: str
    format: Format = "wharfinger"
    max_bytes: Annotated[int, msgspec.Meta(ge=4_096)] = 64 * 2**20
    keep: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 5

    def __post_init__(self) -> None:
        """Refuse a path that depends on where the command is run."""
        if not Path(self.path).is_absolute():
            raise ValueError("the path must be absolute, such as /var/log/wharfinger/alerts.ndjson")

    def send(self, notice: Notice, surroundings: Surroundings) -> None:
        """Append the message; once this returns it is on the disk."""
        del surroundings
        try:
            append(Path(self.path), encode(notice, self.format) + b"\n", self.max_bytes, self.keep)
        except OSError as error:
            raise DeliveryError(f"cannot write {error.filename or self.path}: {error.strerror}") from error


def append(path: Path, line: bytes, most: int, keep: int) -> None:
    """Append a line that no other process can tear apart, rotating first where it does not fit any more."""
    with _locked(path) as handle:
        size = os.fstat(handle).st_size
        if not size or size + len(line) <= most:
            _write(handle, size, line)
            return
        _rotate(path, keep)
    append(path, line, most, keep)


def _write(handle: int, size: int, line: bytes) -> None:
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line  # a writer was killed in the middle of its line
    while line:
        line = line[os.write(handle, line) :]
    os.fsync(handle)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open the file under an exclusive lock; one that was rotated away before the lock was had is opened anew."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
                yield handle
                return
        finally:
            os.close(handle)


def _rotate(path: Path, keep: int) -> None:
    for number in range(keep - 1, 0, -1):
        older = _numbered(path, number)
        if older.exists():
            older.replace(_numbered(path, number + 1))
    path.replace(_numbered(path, 1))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
