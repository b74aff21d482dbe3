"""The spool: events on their way into the lake, safe on the disk as soon as a request is answered."""

import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import structlog
from numpy.typing import NDArray

_BLOCK = 4096  # bytes that a file takes at least
_SUFFIX = ".arrow"
_log = structlog.get_logger("wharfinger.spool")


class SpoolFullError(Exception):
    """The spool has no room; the leader has to empty it first."""


class Backlog(NamedTuple):
    """What lies in the spool: files, bytes on disk, and when the oldest came in."""

    files: int
    size: int
    oldest: datetime | None


class Spool:
    """A directory with a file for each request, written whole or not at all; any process may add and take.

    A file is removed when its events lie in the lake, never before: one that is found again after a crash adds nothing,
    since the lake holds each event once.

    Parameters
    ----------
    root
        Created if missing.
    most
        Bytes that it may hold.

    Attributes
    ----------
    lock
        Lock file of whoever takes from it.
    """

    def __init__(self, root: Path, most: int) -> None:
        self._root, self._most = root, most
        self._lock = threading.Lock()
        self._ids: dict[str, NDArray[np.uint64]] = {}
        self.lock = root / ".lock"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add(self, events: pl.DataFrame, now: datetime) -> None:
        """Write events; they are on the disk when this returns, or none is.

        Raises
        ------
        SpoolFullError
            If there is no room for them.
        OSError
            If they cannot be written.
        """
        if self.backlog().size >= self._most:
            raise SpoolFullError(
                f"{self._most} bytes of events wait to be taken into the lake; send the request again later"
            )
        name = f"{int(now.timestamp() * 1e6):016}-{secrets.token_hex(8)}{_SUFFIX}"
        temporary = self._root / f".{name}"
        # most columns of one source are empty, and would be most of the file
        used = events.select(column for column in events.columns if events[column].null_count() < events.height)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a path would be opened before its mode is narrowed
                used.write_ipc(file, compression="lz4")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._root / name)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(self._root)
        with self._lock:
            self._ids[name] = events["event_id"].to_numpy()

    def known(self, events: pl.DataFrame) -> pl.Series:
        """Tell which events lie in the spool already, by `event_id`."""
        with self._lock:
            names = [entry.name for entry in self._entries()]
            self._ids = {name: ids for name in names if (ids := self._read_ids(name)) is not None}
            held = np.concatenate([np.empty(0, np.uint64), *self._ids.values()])
        return pl.Series(np.isin(events["event_id"].to_numpy(), held))

    def batches(self, most: int) -> Iterator[tuple[pl.DataFrame, list[Path]]]:
        """Give events, the oldest first, and the files that they lie in, about `most` bytes of them at a time."""
        paths, size = [], 0
        for entry in self._entries():
            paths.append(Path(entry.path))
            size += entry.stat().st_size
            if size >= most:
                yield self._read(paths), paths
                paths, size = [], 0
        if paths:
            yield self._read(paths), paths

    def remove(self, paths: Sequence[Path]) -> None:
        """Remove files whose events lie in the lake."""
        for path in paths:
            path.unlink(missing_ok=True)

    def sweep(self, before: datetime) -> None:
        """Remove what requests left behind that were killed before a time; they were never answered."""
        for path in self._root.glob(".*-*"):
            try:
                if path.stat().st_mtime < before.timestamp():
                    path.unlink()
            except FileNotFoundError:  # the request ended well
                continue

    def backlog(self) -> Backlog:
        """Measure what lies in the spool."""
        entries = self._entries()
        size = 0
        for entry in entries:
            try:
                size += max(entry.stat().st_size, _BLOCK)
            except FileNotFoundError:  # taken meanwhile
                continue
        oldest = datetime.fromtimestamp(int(entries[0].name[:16]) / 1e6, UTC) if entries else None
        return Backlog(len(entries), size, oldest)

    def fault(self) -> str | None:
        """Say why nothing can be added, or None when it can."""
        if self.backlog().size >= self._most:
            return f"full: {self._most} bytes wait to be taken into the lake"
        probe = self._root / f".probe-{secrets.token_hex(8)}"
        try:
            probe.write_bytes(bytes(_BLOCK))
        except OSError as error:
            return f"cannot be written: {error.strerror}"
        finally:
            probe.unlink(missing_ok=True)
        return None

    def _entries(self) -> list[os.DirEntry[str]]:
        with os.scandir(self._root) as entries:
            return sorted((e for e in entries if e.name[0] != "." and e.name.endswith(_SUFFIX)), key=lambda e: e.name)

    def _read_ids(self, name: str) -> NDArray[np.uint64] | None:
        if name in self._ids:
            return self._ids[name]
        found = self._frame(self._root / name, ["event_id"])
        return None if found is None else found["event_id"].to_numpy()

    def _read(self, paths: Sequence[Path]) -> pl.DataFrame:
        found = (frame for path in paths if (frame := self._frame(path)) is not None)
        return pl.concat([pl.DataFrame(), *found], how="diagonal")

    def _frame(self, path: Path, columns: list[str] | None = None) -> pl.DataFrame | None:
        """Read a file; none if it was taken meanwhile, or the disk has damaged it: then it is put out of the way."""
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return pl.read_ipc(raw, columns=columns)
        except (pl.exceptions.PolarsError, OSError) as error:
            _log.error("damaged file in the spool", file=str(path), reason=str(error))
            with suppress(FileNotFoundError):
                path.rename(path.with_suffix(".damaged"))
            return None


def _sync(folder: Path) -> None:
    """Bring the name of a new file to the disk as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
