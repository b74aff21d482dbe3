"""The audit log: who changed what."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.access.audit import AuditRecord
from service.api.decoding import read_query
from service.api.operations import Resource
from service.state import state

resource = Resource("audit")


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which records to list."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="Records on a page.")] = 100
    before: Annotated[Annotated[int, Meta(ge=1, le=2**53)] | None, Meta(description="`next` of the page before.")] = (
        None
    )


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of records; `next` is null on the last."""

    records: list[AuditRecord]
    next: int | None


@resource.operation("GET", "/v1/audit", scope="admin", answer=AuditPage, query=AuditQuery, problems=(422,))
def list_audit_records() -> AuditPage:
    """List changing calls, the newest first, page by page: who, from where, what, to what, and with which outcome."""
    query = read_query(AuditQuery)
    records = state().home.audit.records(limit=query.limit, before=query.before)
    return AuditPage(records=records, next=records[-1].id if len(records) == query.limit else None)
