"""Reads telemetry into the lake; what cannot be read is set aside, never lost and never in the way."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl

from features.ingest import read_events
from features.lake import Lake
from features.routing import Batch, Reject
from service.jobs.lake import tidy
from service.jobs.progress import Progress, silent
from service.wiring import Home

UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did.

    Parameters
    ----------
    accepted, duplicate, rejected
        Events per source that were new, events that the lake already held, and lines that could not be read.
    reject_file
        Where the rejected lines were set aside, or None when there were none.
    read_bytes
        Bytes read, after decompression.
    seconds
        Time it took.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    duplicate: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    reject_file: Path | None = None
    read_bytes: int = 0
    seconds: float = 0.0

    @property
    def sources(self) -> list[str]:
        """Every source met, by name."""
        return sorted({*self.accepted, *self.duplicate, *self.rejected})

    @property
    def useful(self) -> bool:
        """Whether anything was understood: an input read before counts, one that is nothing but junk does not."""
        return self.accepted.total() + self.duplicate.total() > 0


def ingest(
    home: Home,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    host: str | None = None,
    progress: Progress = silent,
) -> IngestReport:
    """Read files and folders into the lake, and set unreadable lines aside in a dead-letter file.

    The same input twice adds nothing. A run that was stopped keeps what it had added, and may simply be run again.

    Parameters
    ----------
    home
        Where lake and dead letters lie.
    paths
        Files, or folders of files.
    source
        Source that every record is of; None recognises it from the content.
    host
        Host that records are of which do not name one.
    progress
        Told the file at work and the share of all bytes read.

    Raises
    ------
    features.ingest.IngestError
        If a path cannot be read, or `source` names no source.
    """
    began = time.monotonic()
    accepted: Counter[str] = Counter()
    duplicate: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    letters = home.rejects / f"{datetime.now(UTC):%Y-%m-%d}.ndjson"
    total, read = max(_size(paths), 1), 0
    for batch in read_events(paths, source=source, host=host):
        added, known = add(home.lake, batch.events)
        accepted += added
        duplicate += known
        rejected[source or _only_source(batch)] += len(batch.rejects)
        set_aside(letters, batch.rejects)
        read += batch.read_bytes
        progress(Path(batch.path).name, min(read / total, 1.0))
    tidy(home, datetime.now(UTC))
    rejected += Counter()  # drops the zeros
    return IngestReport(
        accepted=accepted,
        duplicate=duplicate,
        rejected=rejected,
        reject_file=letters if rejected else None,
        read_bytes=read,
        seconds=time.monotonic() - began,
    )


def add(lake: Lake, events: pl.DataFrame) -> tuple[Counter[str], Counter[str]]:
    """Append events to the lake, and count per source those added and those it already held."""
    added: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for (name,), part in events.partition_by("source", as_dict=True, maintain_order=True).items():
        fresh = lake.append(part)
        added[str(name)] += fresh
        known[str(name)] += part.height - fresh
    return added + Counter(), known + Counter()


def set_aside(letters: Path, rejects: Iterable[Reject]) -> None:
    """Append rejected lines to a dead-letter file, one JSON object each: file, line, reason, text."""
    lines = [msgspec.json.encode({"file": r.path, "line": r.line, "reason": r.reason, "text": r.text}) for r in rejects]
    if lines:
        with letters.open("ab") as file:
            file.write(b"\n".join(lines) + b"\n")


def _only_source(batch: Batch) -> str:
    """Name the source that a batch's unreadable lines are of: that of its readable ones, if they are of one."""
    names = batch.events["source"].unique().to_list()
    return str(names[0]) if len(names) == 1 else UNRECOGNISED


def _size(paths: Sequence[Path]) -> int:
    files = (file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]))
    return sum(file.stat().st_size for file in files if file.is_file())
