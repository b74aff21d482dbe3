"""Intake of telemetry: answered when it is safe on the disk, scored as windows close."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count

import polars as pl
from flask import request

from features.documents import Malformed
from features.ingest import events_from_records
from features.protocols import Record
from features.routing import Batch, IngestError, TooManyError
from features.stores import StoreError
from service.api.decoding import read_query, receive
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.records import from_json, from_msgpack
from service.api.schemas.events import EventAnswer, EventQuery, Outcome, SourceCounts
from service.api.schemas.problems import Fault
from service.jobs.ingest import set_aside
from service.metrics import EVENTS
from service.spool import SpoolFullError
from service.state import state

MAX_EVENTS = 100_000
_TOLD = 100  # faults in an answer; all of them are counted
_FORMS: Mapping[str, Callable[[bytes], Iterator[Record | Malformed]]] = {
    "application/json": from_json,
    "application/x-ndjson": from_json,
    "application/ndjson": from_json,
    "application/jsonl": from_json,
    "application/msgpack": from_msgpack,
    "application/x-msgpack": from_msgpack,
    "application/vnd.msgpack": from_msgpack,
}
_RECORD = {"type": "object", "description": "A raw record of any source, as it writes it, optionally with `host`."}
_CONTENT = {
    media: {"schema": {"anyOf": [_RECORD, {"type": "array", "items": _RECORD}]} if media.endswith("/json") else {}}
    for media in _FORMS
}
resource = Resource("events")


@resource.operation(
    "POST",
    "/v1/events",
    scope="ingest",
    largest=None,
    answer=EventAnswer,
    query=EventQuery,
    content=_CONTENT,
    idempotent=True,
    examples={
        "host": "n1",
        "body": {
            "ts": "2026-09-14T09:21:04Z",
            "uid": "CXWv6p3arKYeMETxOg",
            "id.orig_h": "192.168.50.10",
            "id.orig_p": 49152,
            "id.resp_h": "203.0.113.66",
            "id.resp_p": 4444,
            "proto": "tcp",
            "conn_state": "SF",
        },
    },
    problems=(413, 415, 422, 503),
)
def add_events() -> EventAnswer:
    """Take in telemetry, which is scored as windows close.

    The body is an object, an array of objects, one object to a line, objects one after the other, or msgpack, each
    optionally with gzip. What is accepted is on the disk before the answer, and nothing is taken in twice. A record
    that cannot be read does not harm the others; only when no record can be read is the request refused. After a
    503 send the request again.
    """
    query, raw = read_query(EventQuery), receive(_FORMS)
    if not raw:
        raise refuse(400, "The body is empty; send at least one record.")
    return _take_in(raw, query)


def _take_in(raw: bytes, query: EventQuery) -> EventAnswer:
    home, now, name = state().home, datetime.now(UTC), f"intake-{uuid.uuid4().hex}"
    numbers = count()
    records = (record for record, _ in zip(_FORMS[request.mimetype](raw), numbers, strict=False))
    try:
        batch = events_from_records(records, source=query.source, host=query.host, ref=name, most=MAX_EVENTS)
    except IngestError as error:
        raise refuse(413 if isinstance(error, TooManyError) else 422, _sentence(error)) from None
    try:
        # the spool first: what leaves it lies in the lake by then
        known = home.spool.known(batch.events)
        known |= home.lake.known(batch.events)
        fresh = batch.events.filter(~known).unique("event_id", keep="first", maintain_order=True)
        set_aside(home.rejects / f"{now:%Y-%m-%d}.ndjson", batch.rejects)
        if fresh.height:
            home.spool.add(fresh, now)
    except SpoolFullError as error:
        raise refuse(503, _sentence(error), kind="spool-full") from None
    except StoreError as error:
        raise refuse(503, _sentence(error), kind="unavailable") from None
    except OSError as error:
        raise refuse(503, f"Events cannot be written: {error.strerror or error}.", kind="unwritable") from None
    return _answer(name, next(numbers), batch, fresh)


def _answer(name: str, total: int, batch: Batch, fresh: pl.DataFrame) -> EventAnswer:
    read, new = _places(batch.events), _places(fresh)
    bad = {reject.line for reject in batch.rejects}
    outcomes: list[Outcome] = [
        "accepted" if n in new else "duplicate" if n in read else "rejected" if n in bad else "ignored"
        for n in range(1, total + 1)
    ]
    counts = Counter(outcomes)
    for outcome, number in counts.items():
        EVENTS.labels(outcome).inc(number)
    errors = [Fault(detail=r.reason, pointer=f"#/{r.line - 1}") for r in batch.rejects[:_TOLD]]
    if total and counts["rejected"] == total:
        raise refuse(422, "No record of the request can be read.", kind="nothing-readable", errors=errors)
    return EventAnswer(
        id=name,
        accepted=counts["accepted"],
        duplicate=counts["duplicate"],
        ignored=counts["ignored"],
        rejected=counts["rejected"],
        outcomes=outcomes,
        sources=_by_source(batch.events, fresh),
        errors=errors,
    )


def _by_source(read: pl.DataFrame, fresh: pl.DataFrame) -> dict[str, SourceCounts]:
    new = Counter(fresh["source"].to_list())
    return {
        name: SourceCounts(accepted=new[name], duplicate=total - new[name])
        for name, total in sorted(Counter(read["source"].to_list()).items())
    }


def _places(events: pl.DataFrame) -> set[int]:
    """List the numbers of the records that events come from."""
    return set(events["raw_ref"].str.extract(r":(\d+)$").cast(pl.Int64).to_list())


def _sentence(error: Exception) -> str:
    told = str(error)
    return f"{told[:1].upper()}{told[1:]}."
