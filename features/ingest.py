"""Files or records of any source to normalised events, with what could not be read set aside."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars_hash as plh

from features.documents import JsonDocuments, Malformed, decode_line
from features.envelopes import unwrap
from features.events import conform, frame
from features.protocols import Record, RecordError, Row, Source, sources
from features.records import RecordFile, expand
from features.runs import Columnar, Run, Runs, Told

_DEEPEST_ENVELOPE = 4
_SHOWN_KEYS = 8
_BATCH_BYTES = 64 * 2**20  # of text: few records may be large ones


class IngestError(Exception):
    """Input that cannot be read at all; the message is one clear line."""


class TooManyError(IngestError):
    """There are more events than may be in memory at once."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One thing set aside: where it stands, why, and the first 200 characters of it."""

    path: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of a part of one file.

    Parameters
    ----------
    events
        Frame of `EVENT_SCHEMA`, `event_id` filled.
    rejects
        What was set aside within this part.
    read_bytes
        Bytes of the file, as it lies on disk, that this part took.
    """

    events: pl.DataFrame
    rejects: list[Reject]
    read_bytes: int
    path: str


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
    files = expand(_existing(paths))
    for path in files:
        yield from _read_file(path, _Router(only, host, path.name, str(path), batch_rows))


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
    router = _Router(_named(source), host, ref, ref, limit=most)
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


def _read_file(path: Path, router: "_Router") -> Iterator[Batch]:
    file, before, size = RecordFile(path), 0, 0
    try:
        for line, outcome in file.read(router.take_run):
            if isinstance(outcome, Run):
                router.runs.hold(line, outcome)
            else:
                router.take(line, outcome)
            if router.room <= 0 or file.size - size >= _BATCH_BYTES:
                yield router.batch(file.consumed() - before)
                before, size = file.consumed(), file.size
    except OSError as error:
        raise IngestError(f"{path} cannot be read: {error.strerror or error}") from error
    yield router.batch(file.consumed() - before)


class _Router:
    """Gives each record to the source that knows it and gathers rows and rejects."""

    def __init__(
        self, only: Source | None, host: str | None, name: str, path: str, most: int = 0, *, limit: int | None = None
    ) -> None:
        self._only, self._host, self._name, self._path, self._most = only, host, name, path, most
        self._limit = limit
        self._latest: Source | None = only
        self.runs = Runs()
        self._rows: list[Row] = []
        self._lines: list[int] = []
        self._rejects: list[Reject] = []

    @property
    def room(self) -> int:
        """How many more events, or rejects, this batch may hold."""
        return self._most - max(len(self._rows) + len(self.runs), len(self._rejects))

    def take_run(self, pieces: Sequence[bytes], at: int) -> Run | None:
        """Make a run of lines that are alike, if their source reads such together."""
        latest = self._latest
        return self.runs.find(latest, pieces, at, self.room) if isinstance(latest, Columnar) else None

    def batch(self, read_bytes: int) -> Batch:
        """Give out what was gathered and begin anew."""
        together = [self._told(told) for told in self.runs.release()]
        rows = frame(self._rows).with_columns(pl.Series("line", self._lines, pl.Int64))
        events = pl.concat([rows, *together])
        rejects = self._rejects
        self._rows, self._lines, self._rejects = [], [], []
        if together:
            events = events.sort("line", maintain_order=True)
            rejects.sort(key=lambda reject: reject.line)
        return Batch(_identified(events.drop("line")), rejects, read_bytes, self._path)

    def _told(self, told: Told) -> pl.DataFrame:
        """Complete the events of runs, and take the lines that did not fit one by one."""
        for line, piece in told.left:
            if (record := decode_line(piece)) is not None:
                self._parse(line, told.source, record)
            else:
                for _, outcome in JsonDocuments().feed(line, piece):
                    self.take(line, outcome)
        events = told.events.with_columns(
            source=pl.lit(told.source.name),
            host=pl.lit(self._host, pl.String),
            raw_ref=pl.concat_str(pl.lit(f"{self._name}:"), pl.col("line")),
        )
        return conform(events).with_columns(events["line"])

    def take(self, line: int, outcome: Record | Malformed, depth: int = 0) -> None:
        """Parse one record, or what lies in it if it is an envelope."""
        if self._limit is not None and len(self._rows) + len(self._rejects) >= self._limit:
            raise TooManyError(f"more than {self._limit} events at once (send fewer at a time)")
        if isinstance(outcome, Malformed):
            self._reject(line, outcome.reason, outcome.text)
            return
        if (source := self._source(outcome)) is not None:
            self._parse(line, source, outcome)
            return
        try:
            inner = unwrap(outcome) if depth < _DEEPEST_ENVELOPE else None
        except RecordError as error:
            self._reject(line, str(error), str(outcome)[:200])
            return
        if inner is None:
            keys = ", ".join(sorted(map(str, outcome))[:_SHOWN_KEYS])
            self._reject(line, f"no source knows a record with the keys {keys or '(none)'}", str(outcome)[:200])
            return
        for element in inner:
            self.take(line, element, depth + 1)

    def _source(self, record: Record) -> Source | None:
        latest = self._latest
        if latest is not None and latest.recognises(record):
            return latest
        if self._only is not None:
            return None
        for candidate in sources().values():
            if candidate.recognises(record):
                self._latest = candidate
                return candidate
        return None

    def _parse(self, line: int, source: Source, record: Record) -> None:
        try:
            rows = source.parse(record, self._host)
        except RecordError as error:
            self._reject(line, f"{source.name}: {error}", str(record)[:200])
            return
        ref = f"{self._name}:{line}"
        for position, row in enumerate(rows):
            row["source"], row["raw_ref"] = source.name, ref
            if position:
                row["record_id"] = f"{row['record_id']} #{position}"
        self._rows += rows
        self._lines += [line] * len(rows)

    def _reject(self, line: int, reason: str, text: str) -> None:
        self._rejects.append(Reject(self._path, line, reason, text))


def _identified(events: pl.DataFrame) -> pl.DataFrame:
    """Fill `event_id`: the same for the same record on every machine and in every version."""
    identity = pl.concat_str(
        [
            pl.col("source"),
            pl.col("host"),
            pl.col("ts").to_physical().cast(pl.String),
            pl.col("kind"),
            pl.col("record_id"),
        ],
        separator="|",
        ignore_nulls=False,
    )
    filled = events.with_columns(pl.col("host", "record_id").fill_null("")).select(identity.alias("identity"))
    return events.with_columns(filled.select(plh.col("identity").nchash.xxh3_64().alias("event_id")).to_series())
