"""Locks between the processes of one machine, and between their threads."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, name: str, *, wait: bool = True, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a name in a folder, alone or `shared` with others; it ends with the process, however that ends.

    Raises
    ------
    BlockingIOError
        If another holds it, unless this one may `wait`.
    """
    with (folder / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield
