"""Where the lake's files lie: what is asked of a place for files, and a directory as such a place."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol


class StoreError(Exception):
    """The place of the lake's files cannot be used; the message is one line and says what to do."""


class Stored(NamedTuple):
    """A file of a store: `FOLDER/FILE`, and its size in bytes."""

    name: str
    size: int


class Store(Protocol):
    """A place for files in folders, one level deep. A file appears whole or not at all, and is never changed.

    Listing a store that cannot be reached raises `OSError` or `StoreError`; reading a file that was deleted raises
    `FileNotFoundError`, also out of polars.
    """

    @property
    def locks(self) -> Path:
        """Folder of this machine in which writers of this store find each other's locks."""

    @property
    def options(self) -> Mapping[str, str]:
        """Options that polars reads files of this store with."""

    def list(self, folder: str | None = None) -> Iterator[Stored]:
        """Give the files of one folder, or of all, in no order."""

    def location(self, name: str) -> str:
        """Give the path or URL that polars reads a file from."""

    def write(self, name: str, content: memoryview) -> None:
        """Write a file; one of that name is replaced."""

    def delete(self, names: Collection[str]) -> None:
        """Delete files; those that are not there any more are passed over."""

    def fetch(self, name: str, place: Path) -> None:
        """Put a file, which will not change, at a place on this machine."""


class Directory:
    """A directory of this machine: folders 0700, files 0600. It is created, and may be deleted by others."""

    options: Mapping[str, str] = {}

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def locks(self) -> Path:
        """The directory itself: whoever reaches it finds the locks."""
        return self.root

    def list(self, folder: str | None = None) -> Iterator[Stored]:
        """Give the files of one folder, or of all, in no order."""
        if folder is None:
            with os.scandir(self.root) as entries:
                folders = [entry.name for entry in entries if entry.is_dir()]
            for name in folders:
                yield from self.list(name)
            return
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    try:
                        yield Stored(f"{folder}/{entry.name}", entry.stat().st_size)
                    except FileNotFoundError:  # deleted since the folder was opened
                        continue
        except FileNotFoundError:
            return

    def location(self, name: str) -> str:
        """Give the path that polars reads a file from."""
        return str(self.root / name)

    def write(self, name: str, content: memoryview) -> None:
        """Write a file beside its place, and move it there when it is safe on the disk."""
        path = self.root / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:  # noqa: PTH123 - a path would be opened before its mode is narrowed
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def delete(self, names: Collection[str]) -> None:
        """Delete files; those that are not there any more are passed over."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def fetch(self, name: str, place: Path) -> None:
        """Link a file to another place, or copy it where the file system has no links."""
        try:
            os.link(self.root / name, place)
        except FileNotFoundError:
            raise
        except OSError:
            place.write_bytes((self.root / name).read_bytes())
