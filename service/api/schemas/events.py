"""Types of intake."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.api.schemas import Name
from service.api.schemas.problems import Fault

Outcome = Literal["accepted", "duplicate", "ignored", "rejected"]


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How to read the records."""

    host: Annotated[Name | None, Meta(description="Host of the records that name none.")] = None
    source: Annotated[
        Name | None, Meta(description="Source that every record is of; by default its own keys tell.")
    ] = None


class SourceCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one source: new, and there already. A record may hold several."""

    accepted: int
    duplicate: int


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
    sources: dict[str, SourceCounts]
    errors: list[Fault]
