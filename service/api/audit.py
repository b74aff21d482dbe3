"""The audit log: who changed what."""

from service.api.decoding import read_query
from service.api.operations import Resource
from service.api.schemas.audit import AuditPage, AuditQuery
from service.state import state

resource = Resource("audit")


@resource.operation("GET", "/v1/audit", scope="admin", answer=AuditPage, query=AuditQuery, problems=(422,))
def list_audit_records() -> AuditPage:
    """List changing calls, the newest first, page by page: who, from where, what, to what, and with which outcome."""
    query = read_query(AuditQuery)
    records = state().home.audit.records(limit=query.limit, before=query.before)
    return AuditPage(records=records, next=records[-1].id if len(records) == query.limit else None)
