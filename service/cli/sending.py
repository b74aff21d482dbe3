"""Telemetry files to a service elsewhere, record by record."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from features.documents import Malformed
from features.parquet_files import is_parquet
from features.protocols import Record
from features.records import RecordFile, expand
from service.cli.group import CommandError
from service.client import Client, Sent
from service.jobs.ingest import UNRECOGNISED, IngestReport
from service.jobs.progress import Progress

_TOLD = 10  # faults of a run


def client_of(url: str, ca_file: str | None) -> Client:
    """Make the client of a service.

    Raises
    ------
    CommandError
        If the address is none.
    """
    try:
        return Client(url, ca_file=ca_file)
    except ValueError as error:
        raise CommandError(f"--to {error}") from error


def send_files(
    client: Client, paths: Sequence[Path], *, source: str | None, host: str | None, progress: Progress
) -> tuple[IngestReport, list[str]]:
    """Send every record of files, and of every file below directories.

    A run that was stopped may simply be run again: what was taken in is told to be there already.

    Returns
    -------
    Counts per source, and the first ten things that could not be read, in words.

    Raises
    ------
    CommandError
        If a path does not exist, cannot be read, or is a file of columns, which has no records to send.
    service.client.ClientError
        If the service does not take telemetry.
    """
    files = expand(_sendable(paths))
    total, done = max(sum(file.stat().st_size for file in files), 1), 0
    accepted: Counter[str] = Counter()
    duplicate: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    faults: list[str] = []
    for path in files:
        reading = _Reading(path, partial(_tell, progress, path.name, done, total))
        try:
            sent = client.send_events(reading, host=host, source=source)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}") from error
        for name, counts in sent.sources.items():
            accepted[name] += counts.accepted
            duplicate[name] += counts.duplicate
        rejected[source or _only(sent)] += sent.rejected + reading.malformed
        faults += [*reading.faults, *(f"{path}: {fault.detail}" for fault in sent.errors)]
        done += path.stat().st_size
    report = IngestReport(accepted=+accepted, duplicate=+duplicate, rejected=+rejected, read_bytes=done)
    return report, faults[:_TOLD]


class _Reading:
    """Goes through the records of a file, and sets aside what is none."""

    def __init__(self, path: Path, told: Callable[[int], None]) -> None:
        self._path, self._told = path, told
        self.malformed = 0
        self.faults: list[str] = []

    def __iter__(self) -> Iterator[Record]:
        file = RecordFile(self._path)
        for line, outcome in file:
            self._told(file.consumed())
            if isinstance(outcome, Malformed):
                self.malformed += 1
                if len(self.faults) < _TOLD:
                    self.faults.append(f"{self._path}:{line}: {outcome.reason}")
            else:
                yield outcome


def _sendable(paths: Sequence[Path]) -> list[Path]:
    for path in paths:
        if not path.exists():
            raise CommandError(f"{path} does not exist")
    for path in expand(list(paths)):
        if is_parquet(path):
            raise CommandError(f"{path} is a Parquet file, which has no records to send (ingest it where the lake is)")
    return list(paths)


def _tell(progress: Progress, name: str, before: int, total: int, read: int) -> None:
    progress(name, min((before + read) / total, 1.0))


def _only(sent: Sent) -> str:
    return next(iter(sent.sources)) if len(sent.sources) == 1 else UNRECOGNISED
