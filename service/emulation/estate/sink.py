# ruff: noqa: ANN401 -- JSON documents and arrays of any kind
"""Keeps what was told until its time is over, orders it by time and writes it; nothing older is in memory."""

import gzip
from collections import defaultdict
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import numpy as np
import polars as pl

from service.emulation.estate import zeek
from service.emulation.estate.ids import iso
from service.emulation.estate.vocabulary import Vocabulary

DAY = 86_400.0
_BLOCK = 100_000
_encode = msgspec.json.encode


class Sink:
    """Write events to `learn/` and `watch/` under `out`, one Zeek file a day, other streams appended."""

    def __init__(self, out: Path, start: float, days: int, learn_days: int, names: Vocabulary, *, key: int) -> None:
        self.out, self.start, self.days, self.learn_days = out, start, days, learn_days
        self.names, self.key = names, key
        self.end = start + days * DAY
        self.rows = dict.fromkeys(zeek.FIELDS, 0)
        self.lines_written = 0
        self._lines: dict[str, list[tuple[float, int, bytes]]] = defaultdict(list)
        self._repeated: dict[str, list[tuple[np.ndarray, list[str], list[tuple[float, list[bytes]]]]]] = defaultdict(
            list
        )
        self._told: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._count = dict.fromkeys(zeek.FIELDS, 0)
        self._frames: dict[str, list[pl.DataFrame]] = defaultdict(list)
        self._open: dict[str, tuple[int, IO[bytes]]] = {}
        self._serial = 0
        for folder in ("learn", "watch"):
            (out / folder).mkdir(parents=True, exist_ok=True)
            for old in (out / folder).glob("*"):
                old.unlink()

    def json(self, stream: str, epoch: float, record: Any) -> None:
        self.raw(stream, epoch, _encode(record) + b"\n")

    def raw(self, stream: str, epoch: float, line: bytes) -> None:
        self._serial += 1
        self._lines[stream].append((epoch, self._serial, self.names.put(line)))

    def repeated(
        self, stream: str, moments: np.ndarray, identities: list[str], lines: list[tuple[float, bytes]]
    ) -> None:
        """Take lines that come again at each moment, each so long after it.

        "@E", "@S" and "@N" in them stand for the moment's identity, its seconds and nanoseconds.
        """
        parts = [(delay, _cut(self.names.put(line))) for delay, line in lines]
        self._repeated[stream].append((moments, identities, parts))

    def rows_of(self, log: str, row: dict[str, Any]) -> None:
        """Take rows of one Zeek log: fields of `zeek.KEPT`, each an array or one value for all rows; `ts` an array."""
        if len(row["ts"]):
            self._told[log].append(row)
            self._count[log] += len(row["ts"])
            if self._count[log] >= _BLOCK:
                self._gather(log)

    def pending(self) -> int:
        """Return how many rows wait to be written."""
        return sum(self._count.values()) + sum(frame.height for frames in self._frames.values() for frame in frames)

    def flush(self, limit: float) -> None:
        """Write everything that was over before a moment."""
        for stream in {**self._lines, **self._repeated}:
            self._flush_lines(stream, limit)
        for log in zeek.FIELDS:
            self._gather(log)
            if frames := self._frames.pop(log, []):
                rows = pl.concat(frames)
                over = zeek.written_at(log) < limit
                self._frames[log] = [rows.filter(~over)]
                self._write(log, rows.filter(over))

    def close(self) -> None:
        """Write the rest and close the files."""
        self.flush(self.end)
        for log in list(self._open):
            self._shut(log)

    def _flush_lines(self, stream: str, limit: float) -> None:
        lines = self._lines.pop(stream, [])
        due = [line for line in lines if line[0] < limit]
        if len(due) < len(lines):
            self._lines[stream] = [line for line in lines if line[0] >= limit]
        for moments, identities, parts in self._repeated.pop(stream, []):
            over = int(np.searchsorted(moments, limit))
            if over < len(moments):
                self._repeated[stream].append((moments[over:], identities[over:], parts))
            for moment, identity in zip(moments[:over].tolist(), identities[:over], strict=True):
                for delay, cut in parts:
                    self._serial += 1
                    due.append((moment + delay, self._serial, _stamped(cut, identity, moment + delay)))
        due.sort()
        watch = self.start + self.learn_days * DAY
        for folder, low, high in (("learn", self.start, watch), ("watch", watch, self.end)):
            chosen = [line for epoch, _, line in due if low <= epoch < high]
            if chosen:
                with (self.out / folder / f"{stream}.ndjson").open("ab") as file:
                    file.writelines(chosen)
                self.lines_written += len(chosen)

    def _gather(self, log: str) -> None:
        told, self._told[log], self._count[log] = self._told[log], [], 0
        if told:
            counts = [len(row["ts"]) for row in told]
            columns = [
                zeek.column(list(zip((row.get(name) for row in told), counts, strict=True)), dtype, name)
                for name, dtype in zeek.KEPT[log].items()
            ]
            self._frames[log].append(pl.DataFrame(columns))

    def _write(self, log: str, rows: pl.DataFrame) -> None:
        over = zeek.written_at(log)
        rows = (
            rows.with_columns(over.alias("over")).filter(pl.col("over") >= self.start).sort("over", maintain_order=True)
        )
        day = ((rows["over"] - self.start) // DAY).cast(pl.Int32)
        for number in day.unique().sort().to_list():
            chosen = rows.filter(day == number)
            self.rows[log] += chosen.height
            file, as_tsv = self._file(log, number), number % 3 == 1
            for block in chosen.iter_slices(_BLOCK):
                whole = zeek.complete(log, block, self.key, self.names.stand_ins)
                lines = zeek.tsv(log, whole) if as_tsv else zeek.json_lines(log, whole)
                file.write(("\n".join(lines.to_list()) + "\n").encode())

    def _file(self, log: str, day: int) -> IO[bytes]:
        if log in self._open:
            number, file = self._open[log]
            if number == day:
                return file
            self._shut(log)
        opened, packed = iso(self.start + day * DAY), day % 4 == 2
        folder = self.out / ("learn" if day < self.learn_days else "watch")
        path = folder / f"{log}.{opened[:10]}.log{'.gz' if packed else ''}"
        file = cast("IO[bytes]", gzip.GzipFile(path, "wb", 4, mtime=0)) if packed else path.open("wb")
        self._open[log] = (day, file)
        if day % 3 == 1:
            file.write(zeek.header(log, opened[:19].replace("T", "-").replace(":", "-")).encode())
        return file

    def _shut(self, log: str) -> None:
        day, file = self._open.pop(log)
        if day % 3 == 1:
            file.write(f"#close\t{iso(self.start + day * DAY)[:10]}-23-59-59\n".encode())
        file.close()


def _cut(line: bytes) -> list[bytes]:
    before, rest = line.split(b'"@E"')
    between, rest = rest.split(b'"@S"')
    middle, after = rest.split(b'"@N"')
    return [before, between, middle, after]


def _stamped(cut: list[bytes], identity: str, moment: float) -> bytes:
    nano = int(moment * 1e9)
    return b'%b"%b"%b%d%b%d%b' % (cut[0], identity.encode(), cut[1], nano // 10**9, cut[2], nano, cut[3])
