"""Parquet files of telemetry, some rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

_MAGIC = b"PAR1"
_ENDPOINTS = "id"
_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


class ParquetError(ValueError):
    """A Parquet file, or rows of it, that cannot be read; the message says why."""


def is_parquet(path: Path) -> bool:
    """Say from its first bytes whether a file is Parquet; what can be read but once is none, and left alone."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class ParquetFile:
    """One Parquet file; a column `id` that has fields is read as columns `id.orig_h` and so on.

    Parameters
    ----------
    path
        The file, whose `columns` and `height`, the number of its rows, are read at once.

    Raises
    ------
    ParquetError
        If what says where its columns lie is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
            if isinstance(ends := scan.collect_schema().get(_ENDPOINTS), pl.Struct):
                names = [f"{_ENDPOINTS}.{field.name}" for field in ends.fields]
                scan = scan.with_columns(pl.col(_ENDPOINTS).struct.rename_fields(names)).unnest(_ENDPOINTS)
            self._scan, self.columns = scan, scan.collect_schema()
            self.height = int(scan.select(pl.len()).collect().item())
        except _ERRORS as error:
            raise ParquetError(f"a damaged Parquet file: {_first_line(error)}") from error

    def frames(self, rows: int) -> Iterator[tuple[int, pl.DataFrame | ParquetError]]:
        """Read so many rows at a time, each with its number as `line`, or say what is damaged of them.

        Yields
        ------
        The number of the first row, from 1, and the rows.
        """
        for start in range(0, self.height, rows):
            try:
                frame = self._scan.slice(start, rows).collect()
                yield start + 1, frame.with_columns(line=pl.int_range(start + 1, start + 1 + frame.height, eager=True))
            except _ERRORS as error:
                last = min(start + rows, self.height)
                yield start + 1, ParquetError(f"rows {start + 1} to {last} are damaged: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]
