"""The way of records to the source that knows them, and from there to events or aside."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import polars as pl
import polars_hash as plh

from features import log_frames
from features.documents import Malformed
from features.envelopes import unwrap
from features.event_frames import checked, holds_events
from features.events import conform, frame
from features.lines import Lines
from features.protocols import Record, RecordError, Row, Source, sources
from features.runs import Columnar, Run, Runs, Told
from features.zeek_tsv import ZeekTable

_DEEPEST_ENVELOPE = 4
_SHOWN_NAMES = 8


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


class Router:
    """Gives each record to the source that knows it and gathers rows and rejects."""

    def __init__(
        self, only: Source | None, host: str | None, name: str, path: str, most: int = 0, *, limit: int | None = None
    ) -> None:
        self._only, self._host, self._name, self._path, self._most = only, host, name, path, most
        self._limit = limit
        self._remember(only)
        self.runs = Runs(host)
        self._frames: list[pl.DataFrame] = []
        self._rows: list[Row] = []
        self._lines: list[int] = []
        self._rejects: list[Reject] = []

    def _remember(self, source: Source | None) -> None:
        self._latest = source
        # here and not for each line: to look at a protocol costs as much as to decode a record
        self._columnar = source if isinstance(source, Columnar) else None

    @property
    def room(self) -> int:
        """How many more events, or rejects, this batch may hold."""
        return self._most - max(len(self._rows) + len(self.runs), len(self._rejects))

    def take_run(self, lines: Lines, at: int, table: ZeekTable) -> Run | None:
        """Make a run of lines that are alike, if their source reads such together."""
        source = self._columnar
        return None if source is None else self.runs.find(source, lines, at, self.room, table)

    def batch(self, read_bytes: int) -> Batch:
        """Give out what was gathered and begin anew."""
        for told in self.runs.release():
            self._take_told(told)
        rows = [frame(self._rows).with_columns(pl.Series("line", self._lines, pl.Int64))] if self._rows else []
        # not made when the module is loaded: polars' threads, once started, do not survive a web server's fork
        nothing = frame([]).with_columns(line=pl.lit(None, pl.Int64))
        events, rejects = pl.concat([nothing, *rows, *self._frames]), self._rejects
        self._rows, self._lines, self._frames, self._rejects = [], [], [], []
        if not events["line"].is_sorted():
            events = events.sort("line", maintain_order=True)
        rejects.sort(key=lambda reject: reject.line)
        return Batch(_identified(events.drop("line")), rejects, read_bytes, self._path)

    def _take_told(self, told: Told) -> None:
        """Complete events that were made together, and take what did not fit one by one."""
        for line, outcome in told.left:
            if isinstance(outcome, Malformed):
                self.reject(line, outcome.reason, outcome.text)
            else:
                self._parse(line, told.source, outcome)
        self._complete(told.events.with_columns(source=pl.lit(told.source.name)))

    def _complete(self, events: pl.DataFrame) -> None:
        ref = pl.concat_str(pl.lit(f"{self._name}:"), pl.col("line"))
        events = events.with_columns(
            pl.col("host").fill_null(pl.lit(self._host, pl.String)),
            raw_ref=pl.coalesce("raw_ref", ref) if "raw_ref" in events.columns else ref,
        )
        self._frames.append(conform(events).with_columns(events["line"]))

    def taker(self, columns: pl.Schema) -> Callable[[pl.DataFrame], None] | None:
        """Give what takes frames with such columns and a `line`: events as they are, or logs of a columnar source."""
        if holds_events(columns):
            return self._take_events
        for source in sources().values() if self._only is None else [self._only]:
            if isinstance(source, Columnar) and source.tables and source.recognises(dict.fromkeys(columns)):
                return partial(self._take_logs, source)
        self.reject(1, f"a Parquet file of neither events nor logs: its columns are {_listed(columns)}", "")
        return None

    def _take_logs(self, source: Columnar, frame: pl.DataFrame) -> None:
        for told in log_frames.told(source, frame, self._host):
            self._take_told(told)

    def _take_events(self, frame: pl.DataFrame) -> None:
        events, faults = checked(frame, sources() if self._only is None else {self._only.name})
        for line, why in faults:
            self.reject(line, why, "")
        self._complete(events)

    def take(self, line: int, outcome: Record | Malformed, depth: int = 0) -> None:
        """Parse one record, or what lies in it if it is an envelope.

        Raises
        ------
        TooManyError
            If there are more events and rejects than the limit, where there is one.
        """
        if self._limit is not None and len(self._rows) + len(self._rejects) >= self._limit:
            raise TooManyError(f"more than {self._limit} events at once (send fewer at a time)")
        if isinstance(outcome, Malformed):
            self.reject(line, outcome.reason, outcome.text)
            return
        if (source := self._source(outcome)) is not None:
            self._parse(line, source, outcome)
            return
        try:
            inner = unwrap(outcome) if depth < _DEEPEST_ENVELOPE else None
        except RecordError as error:
            self.reject(line, str(error), str(outcome)[:200])
            return
        if inner is None:
            self.reject(line, f"no source knows a record with the keys {_listed(outcome)}", str(outcome)[:200])
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
                self._remember(candidate)
                return candidate
        return None

    def _parse(self, line: int, source: Source, record: Record) -> None:
        try:
            rows = source.parse(record, self._host)
        except RecordError as error:
            self.reject(line, f"{source.name}: {error}", str(record)[:200])
            return
        ref = f"{self._name}:{line}"
        for position, row in enumerate(rows):
            row["source"], row["raw_ref"] = source.name, ref
            if position:
                row["record_id"] = f"{row['record_id']} #{position}"
        self._rows += rows
        self._lines += [line] * len(rows)

    def reject(self, line: int, reason: str, text: str) -> None:
        """Set something aside."""
        self._rejects.append(Reject(self._path, line, reason, text))


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, names))[:_SHOWN_NAMES]) or "(none)"


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
