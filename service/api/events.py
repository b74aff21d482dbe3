"""Intake of telemetry: answered when it is safe on the disk, scored as windows close."""

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Annotated, Literal

import msgspec
import polars as pl
from flask import Response, request
from msgspec import Meta

from features.documents import Malformed
from features.ingest import events_from_records
from features.protocols import Record
from features.routing import Batch, IngestError, TooManyError
from features.stores import StoreError
from service.answers import ReusedKeyError
from service.api.decoding import read_query, receive
from service.api.operations import Resource
from service.api.problems import Fault, ProblemError, problem, refuse
from service.api.records import from_json, from_msgpack
from service.api.schemas import Name
from service.jobs.ingest import set_aside
from service.metrics import EVENTS
from service.spool import SpoolFullError
from service.state import state

MAX_EVENTS = 100_000
_TOLD = 100  # faults in an answer; all of them are counted
_LONGEST_KEY = 256
_KEY_FORM = re.compile(rf"[\x21-\x7e]{{1,{_LONGEST_KEY}}}")
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
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names the request for a day: sent again, it gets the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": _LONGEST_KEY, "pattern": "^[!-~]+$"},
}
resource = Resource("events")
Outcome = Literal["accepted", "duplicate", "ignored", "rejected"]


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How to read the records."""

    host: Annotated[Name | None, Meta(description="Host of the records that name none.")] = None
    source: Annotated[
        Name | None, Meta(description="Source that every record is of; by default its own keys tell.")
    ] = None


class EventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each record, by its place in the request.

    `accepted`: it is safe on the disk. `duplicate`: all of it was there already. `ignored`: it was understood, and
    says nothing that is watched. `rejected`: it could not be read; `errors` says why, for the first hundred.
    """

    id: Annotated[str, Meta(description="Names the request; with the place of a record, its events lead back to it.")]
    accepted: int
    duplicate: int
    ignored: int
    rejected: int
    outcomes: list[Outcome]
    errors: list[Fault]


@resource.operation(
    "POST",
    "/v1/events",
    scope="ingest",
    largest=None,
    answer=EventAnswer,
    query=EventQuery,
    content=_CONTENT,
    headers=(_KEY,),
    problems=(413, 415, 422, 503),
)
def add_events() -> EventAnswer | Response:
    """Take in telemetry, which is scored as windows close.

    The body is an object, an array of objects, one object to a line, objects one after the other, or msgpack, each
    optionally with gzip. What is accepted is on the disk before the answer, and nothing is taken in twice. A record
    that cannot be read does not harm the others; only when no record can be read is the request refused. After a
    503 send the request again.
    """
    query, raw = read_query(EventQuery), receive(_FORMS)
    if not raw:
        raise refuse(400, "The body is empty; send at least one record.")
    key, digest = _key(), _digest(raw)
    try:
        if key and (answer := state().home.answers.get(key, digest)):
            return Response(answer, content_type="application/json")
        found = _take_in(raw, query)
        if key:
            kept = state().home.answers.keep(key, digest, msgspec.json.encode(found), datetime.now(UTC))
            return Response(kept, content_type="application/json")
    except ReusedKeyError as error:
        raise refuse(422, _sentence(error), kind="reused-key") from None
    return found


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
        raise _unavailable(_sentence(error), "spool-full") from None
    except StoreError as error:
        raise _unavailable(_sentence(error), "unavailable") from None
    except OSError as error:
        raise _unavailable(f"Events cannot be written: {error.strerror or error}.", "unwritable") from None
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
        raise refuse(422, "No record of the request can be read.", errors=errors)
    return EventAnswer(
        id=name,
        accepted=counts["accepted"],
        duplicate=counts["duplicate"],
        ignored=counts["ignored"],
        rejected=counts["rejected"],
        outcomes=outcomes,
        errors=errors,
    )


def _places(events: pl.DataFrame) -> set[int]:
    """List the numbers of the records that events come from."""
    return set(events["raw_ref"].str.extract(r":(\d+)$").cast(pl.Int64).to_list())


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY_FORM.fullmatch(key):
        raise refuse(422, f"The Idempotency-Key is wrong: give 1 to {_LONGEST_KEY} printable characters of ASCII.")
    return key


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(b"\n".join((request.mimetype.encode(), request.query_string, raw))).digest()


def _sentence(error: Exception) -> str:
    told = str(error)
    return f"{told[:1].upper()}{told[1:]}."


def _unavailable(detail: str, kind: str) -> ProblemError:
    return ProblemError(problem(503, detail, kind=kind), {"Retry-After": "5"})
