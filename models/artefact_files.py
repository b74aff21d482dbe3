"""Read and write the files of a stored model: the same content gives the same bytes."""

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.errors import ArtefactError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip archive can hold


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return an uncompressed `.npz` archive without the time of writing, which `numpy.savez` would put in.

    Raises
    ------
    ArtefactError
        An array holds Python objects.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            if arrays[name].dtype.hasobject:
                raise ArtefactError(f"array {name} holds Python objects, which are never stored: convert it")
            with archive.open(zipfile.ZipInfo(f"{name}.npy", EPOCH), "w") as member:
                np.lib.format.write_array(
                    member, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False
                )
    return buffer.getvalue()


def read_npz(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an `.npz` archive; raise `ArtefactError` where it is none."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {array: archive[array] for array in archive.files}
    except (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ArtefactError(f"{name} is not an archive of plain arrays ({error}): train again") from error


def parquet_bytes(table: pl.DataFrame) -> bytes:
    """Return a table as Parquet, independent of how the frame is chunked in memory."""
    buffer = io.BytesIO()
    table.rechunk().write_parquet(buffer)
    return buffer.getvalue()


def read_parquet(data: bytes, name: str) -> pl.DataFrame:
    """Return the table of a Parquet file; raise `ArtefactError` where it is none."""
    try:
        return pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtefactError(f"{name} is not a Parquet table ({error}): train again") from error


def write_directory(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a new directory that is there as a whole or not at all, also after a power cut.

    Raises
    ------
    FileExistsError
        There is such a directory already.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".saving-", dir=target.parent))
    try:
        for name, data in files.items():
            _write(draft / name, data)
        _sync(draft)
        try:
            draft.rename(target)
        except OSError as error:
            raise FileExistsError(target) from error
        _sync(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def replace_file(target: Path, data: bytes) -> None:
    """Replace a file in one step: a reader sees the old bytes or the new ones."""
    draft = target.with_name(f".{target.name}-{os.getpid()}")
    _write(draft, data)
    draft.replace(target)
    _sync(target.parent)


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file, at most `most`; links are not followed.

    Raises
    ------
    OSError
        There is no such file, it is a link or no regular file, or it is larger.
    """
    if path.is_symlink() or not path.is_file():
        raise FileNotFoundError(f"{path.name} is missing or no regular file")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(f"{path.name} has {size} bytes, at most {most} were expected")
        return file.read(most)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    if os.name == "nt":  # directories cannot be opened there
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
