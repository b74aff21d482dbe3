# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
"""Buffers one day of every stream, orders it by time and writes it; nothing older is kept in memory."""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import msgspec
import numpy as np

from service.emulation.estate import zeek
from service.emulation.estate.ids import iso

DAY = 86_400.0
_BLOCK = 20_000
_encode = msgspec.json.encode


class Sink:
    """Write events to `learn/` and `watch/` under `out`, one Zeek file a day, other streams appended."""

    def __init__(self, out: Path, start: float, days: int, learn_days: int) -> None:
        self.out, self.start, self.days, self.learn_days = out, start, days, learn_days
        self.rows = dict.fromkeys(zeek.FIELDS, 0)
        self.lines_written = 0
        self._lines: dict[int, dict[str, list[tuple[float, int, bytes]]]] = defaultdict(lambda: defaultdict(list))
        self._batches: dict[int, dict[str, list[list[np.ndarray]]]] = defaultdict(lambda: defaultdict(list))
        self._serial = 0
        for folder in ("learn", "watch"):
            (out / folder).mkdir(parents=True, exist_ok=True)
            for old in (out / folder).glob("*"):
                old.unlink()

    def json(self, stream: str, epoch: float, record: Any) -> None:
        self.raw(stream, epoch, _encode(record) + b"\n")

    def raw(self, stream: str, epoch: float, line: bytes) -> None:
        self._serial += 1
        self._lines[int((epoch - self.start) // DAY)][stream].append((epoch, self._serial, line))

    def columns(self, log: str, columns: list[np.ndarray]) -> None:
        """Take rows of one Zeek log, `columns` in the order of `zeek.FIELDS`, time first."""
        day = ((columns[0] - self.start) // DAY).astype(np.int64)
        for value in np.unique(day).tolist():
            whole = len(day) == 0 or day[0] == value == day.max() == day.min()
            mask = slice(None) if whole else day == value
            self._batches[value][log].append([column[mask] for column in columns])

    def pending(self, day: int) -> int:
        return sum(len(batch[0]) for batches in self._batches[day].values() for batch in batches)

    def flush(self, day: int) -> None:
        batches, lines = self._batches.pop(day, {}), self._lines.pop(day, {})
        if not 0 <= day < self.days:
            return
        folder = self.out / ("learn" if day < self.learn_days else "watch")
        for stream, items in lines.items():
            items.sort()
            with (folder / f"{stream}.ndjson").open("ab") as file:
                file.writelines(line for _, _, line in items)
            self.lines_written += len(items)
        for log, parts in batches.items():
            self._write_zeek(folder, log, day, parts)

    def _write_zeek(self, folder: Path, log: str, day: int, parts: list[list[np.ndarray]]) -> None:
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        self.rows[log] += len(columns[0])
        order = np.argsort(_written_at(log, columns), kind="stable")
        opened = iso(self.start + day * DAY)
        as_tsv, packed = day % 3 == 1, day % 4 == 2
        path = folder / f"{log}.{opened[:10]}.log{'.gz' if packed else ''}"
        with _open_text(path) as file:
            if as_tsv:
                file.write(zeek.header(log, opened[:19].replace("T", "-").replace(":", "-")))
            for rows in _blocks(columns, order):
                file.write(zeek.tsv(rows) if as_tsv else zeek.json_lines(log, rows))
            if as_tsv:
                file.write(f"#close\t{opened[:10]}-23-59-59\n")


def _written_at(log: str, columns: list[np.ndarray]) -> np.ndarray:
    """Zeek writes a connection when it ends, so conn.log is not in order of its first field."""
    if log != "conn":
        return columns[0]
    duration = columns[zeek.CONN.index("duration")]
    ended: np.ndarray = columns[0] + np.array([value or 0.0 for value in duration.tolist()])
    return ended


def _blocks(columns: list[np.ndarray], order: np.ndarray) -> Iterator[list[tuple[Any, ...]]]:
    for low in range(0, len(order), _BLOCK):
        index = order[low : low + _BLOCK]
        yield list(zip(*(column[index].tolist() for column in columns), strict=True))


def _open_text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "wt", compresslevel=4, encoding="utf-8")
    return path.open("w", encoding="utf-8")
