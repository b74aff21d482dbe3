"""Files or records of any source to normalised events, with what could not be read set aside."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from features.documents import Malformed
from features.parquet_files import ParquetError, ParquetFile, is_parquet
from features.protocols import Record, Source, sources
from features.records import RecordFile, expand
from features.routing import Batch, IngestError, Router
from features.runs import Run

_BATCH_BYTES = 64 * 2**20  # of text: few records may be large ones


def read_events(
    paths: Sequence[Path], *, source: str | None = None, host: str | None = None, batch_rows: int = 50_000
) -> Iterator[Batch]:
    """Read files, and every file below directories, into batches of events.

    Parameters
    ----------
    source
        Name of the source all records are of; by default each record's own keys tell.
    host
        Host that the records come from, where they do not say so themselves.
    batch_rows
        Events, or rejects, after which a batch is given out.

    Raises
    ------
    IngestError
        If a path does not exist or cannot be opened, or no source has the name.
    """
    only = _named(source)
    for path in expand(_existing(paths)):
        router = Router(only, host, path.name, str(path), batch_rows)
        try:
            yield from _read_parquet(path, router, batch_rows) if is_parquet(path) else _read_file(path, router)
        except OSError as error:
            raise IngestError(f"{path} cannot be read: {error.strerror or error}") from error


def events_from_records(
    records: Iterable[Record | Malformed],
    *,
    source: str | None = None,
    host: str | None = None,
    ref: str,
    most: int | None = None,
) -> Batch:
    """Turn decoded records, and what was set aside while decoding, into one batch.

    Parameters
    ----------
    ref
        Names where they came from; with the record's number, from 1, it stands in `raw_ref`.
    most
        Events and rejects that there may be.

    Raises
    ------
    IngestError
        If no source has the name.
    TooManyError
        If there are more.
    """
    router = Router(_named(source), host, ref, ref, limit=most)
    for position, record in enumerate(records, start=1):
        router.take(position, record)
    return router.batch(0)


def _named(name: str | None) -> Source | None:
    if name is None:
        return None
    if name not in sources():
        raise IngestError(f"no source is called {name}; there are {', '.join(sorted(sources()))}")
    return sources()[name]


def _existing(paths: Sequence[Path]) -> list[Path]:
    for path in paths:
        if not path.exists():
            raise IngestError(f"{path} does not exist")
    return list(paths)


def _read_file(path: Path, router: Router) -> Iterator[Batch]:
    file, before, size = RecordFile(path), 0, 0
    for line, outcome in file.read(router.take_run):
        if isinstance(outcome, Run):
            router.runs.hold(line, outcome)
        else:
            router.take(line, outcome)
        if router.room <= 0 or file.size - size >= _BATCH_BYTES:
            yield router.batch(file.consumed() - before)
            before, size = file.consumed(), file.size
    yield router.batch(file.consumed() - before)


def _read_parquet(path: Path, router: Router, batch_rows: int) -> Iterator[Batch]:
    size, before = path.stat().st_size, 0
    try:
        file = ParquetFile(path)
    except ParquetError as error:
        router.reject(1, str(error), "")
        yield router.batch(size)
        return
    if (take := router.taker(file.columns)) is None:
        yield router.batch(size)
        return
    for line, frame in file.frames(batch_rows):
        if isinstance(frame, ParquetError):
            router.reject(line, str(frame), "")
        else:
            take(frame)
        now = min(line - 1 + batch_rows, file.height) * size // file.height
        yield router.batch(now - before)
        before = now
    yield router.batch(size - before)
