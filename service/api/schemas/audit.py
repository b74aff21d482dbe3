"""Types of the audit log."""

from typing import Annotated

import msgspec
from msgspec import Meta

from service.access.audit_record import AuditRecord


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
