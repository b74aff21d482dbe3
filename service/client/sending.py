"""Telemetry in requests of bounded size, and what became of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from service.api.schemas.events import EventAnswer, SourceCounts
from service.api.schemas.problems import Fault
from service.client.errors import AnswerError

Telemetry = Mapping[str, Any] | bytes
MOST_RECORDS = 20_000
MOST_BYTES = 4 * 2**20
MOST_FAULTS = 100
UNREADABLE = "urn:wharfinger:problem:nothing-readable"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What became of records, over all requests that they were sent in.

    `accepted`, `duplicate`, `ignored` and `rejected` count records as intake does; `sources` counts events. `errors`
    tells the first hundred faults, each with a pointer to its record's place among all that were sent.
    """

    accepted: int = 0
    duplicate: int = 0
    ignored: int = 0
    rejected: int = 0
    sources: dict[str, SourceCounts] = {}
    errors: list[Fault] = []

    def __add__(self, other: "Sent") -> "Sent":
        """Add what was sent after this."""
        return Sent(
            accepted=self.accepted + other.accepted,
            duplicate=self.duplicate + other.duplicate,
            ignored=self.ignored + other.ignored,
            rejected=self.rejected + other.rejected,
            sources=_summed(self.sources, other.sources),
            errors=[*self.errors, *(_moved(fault, self.total) for fault in other.errors)][:MOST_FAULTS],
        )

    @property
    def total(self) -> int:
        """How many records were sent."""
        return self.accepted + self.duplicate + self.ignored + self.rejected


def send(records: Iterable[Telemetry], post: Callable[[bytes], EventAnswer]) -> Sent:
    """Send records, some at a time; one that cannot be read harms no other.

    Parameters
    ----------
    records
        Objects, or their JSON.
    post
        Sends lines of JSON.

    Raises
    ------
    service.client.errors.ClientError
        As `post` does; what was sent before stays sent.
    """
    sent = Sent()
    for lines in _batches(records):
        try:
            answer = post(b"\n".join(lines))
        except AnswerError as error:
            if error.problem.type != UNREADABLE:
                raise
            sent += Sent(rejected=len(lines), errors=error.errors)
        else:
            sent += Sent(
                accepted=answer.accepted,
                duplicate=answer.duplicate,
                ignored=answer.ignored,
                rejected=answer.rejected,
                sources=answer.sources,
                errors=answer.errors,
            )
    return sent


def _batches(records: Iterable[Telemetry]) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    for record in records:
        line = record if isinstance(record, bytes) else msgspec.json.encode(record)
        if lines and (len(lines) >= MOST_RECORDS or size + len(line) > MOST_BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield lines


def _summed(one: dict[str, SourceCounts], other: dict[str, SourceCounts]) -> dict[str, SourceCounts]:
    found = dict(one)
    for name, counts in other.items():
        before = found.get(name, SourceCounts(accepted=0, duplicate=0))
        found[name] = SourceCounts(
            accepted=before.accepted + counts.accepted, duplicate=before.duplicate + counts.duplicate
        )
    return found


def _moved(fault: Fault, places: int) -> Fault:
    number = fault.pointer.removeprefix("#/")
    return Fault(detail=fault.detail, pointer=f"#/{int(number) + places}") if number.isdigit() else fault
