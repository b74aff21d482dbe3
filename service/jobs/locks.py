"""One job of a kind at a time; the lock goes with the process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.jobs.errors import JobError


@contextmanager
def only_one(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file of a job.

    Parameters
    ----------
    path
        Lock file; it stays when the job ends, the lock on it does not. Not on a network file system.
    what
        The job, for the message.

    Raises
    ------
    JobError
        At once, if another process holds it; names that process.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            raise JobError(f"another {what} is at work, process {holder} (wait until it is done)") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
