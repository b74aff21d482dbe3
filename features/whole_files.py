"""Files that appear whole or not at all; of those in Parquet the bytes follow from the content alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

import polars as pl

UNFINISHED = ".tmp"  # how the names of files end that a killed process left behind


def write_parquet(frame: pl.DataFrame, path: Path, *, row_group: int | None = None, durable: bool = True) -> None:
    """Write a frame as one file (0600), in place of what stood there.

    Parameters
    ----------
    row_group
        Rows of a part that can be read apart, and found by what it holds; None: as polars would have it.
    durable
        Whether the file must outlast a power failure, and not just the end of this process; one that need not is
        written fast rather than small.
    """
    with _whole(path, durable=durable) as file:
        level = None if durable else 1
        frame.write_parquet(
            file,
            compression="zstd",
            compression_level=level,
            statistics=row_group is not None or durable,
            row_group_size=row_group,
        )


def replace(content: bytes, path: Path) -> None:
    """Write the content of any file (0600), in place of what stood there, durably."""
    with _whole(path, durable=True) as file:
        file.write(content)


@contextmanager
def _whole(path: Path, *, durable: bool) -> Iterator[IO[bytes]]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f"{path.stem}.", suffix=UNFINISHED, delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
