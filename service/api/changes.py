"""Announced changes: what a deployment pipeline or a person says will happen."""

from datetime import UTC, datetime

import structlog
from flask import g

from service.api.decoding import decode, read_body, read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas import FeedbackQuery, utc
from service.api.schemas.changes import ChangeList, ChangeRequest
from service.feedback import MAX_LISTED, new_id
from service.state import state
from service.statements import Change

resource = Resource("changes")
_log = structlog.get_logger("wharfinger.feedback")


@resource.operation(
    "POST",
    "/v1/changes",
    scope="operate",
    answer=Change,
    body=ChangeRequest,
    idempotent=True,
    examples={
        "body": {
            "workload": "docker:shop/*",
            "image": "registry.example/shop/api:1.5",
            "fields": ["EnvKey=MODE"],
            "destinations": ["mail.example:587"],
            "until": "2099-01-01T00:00:00Z",
            "by": "ci",
        }
    },
    problems=(413, 415, 422),
)
def announce_change() -> Change:
    """Announce a change, so that the drift it names is shown as explained and raises no score.

    Image, fields and destinations are explained from `from` until `until`, for workloads that the pattern names. What
    the change does not name counts as ever, in the same window too.
    """
    asked = decode(read_body(), ChangeRequest)
    since = utc(asked.since) or datetime.now(UTC)
    if asked.until <= since:
        raise refuse(422, "A change must end after it begins.")
    if not (asked.image or asked.fields or asked.destinations):
        raise refuse(422, "A change must name an image, fields or destinations.")
    change = Change(
        id=new_id(Change),
        workload=asked.workload,
        since=since,
        until=asked.until.astimezone(UTC),
        by=asked.by,
        image=asked.image,
        fields=asked.fields,
        destinations=asked.destinations,
        link=asked.link,
    )
    state().home.feedback.add(change)
    g.target = change.id
    _log.info("change announced", id=change.id, workload=change.workload, by=change.by)
    return change


@resource.operation("GET", "/v1/changes", scope="read", answer=ChangeList, query=FeedbackQuery, problems=(422,))
def list_changes() -> ChangeList:
    """List announced changes, the latest to expire first, 1,000 at most."""
    at = utc(read_query(FeedbackQuery).at)
    return ChangeList(changes=state().home.feedback.statements(Change, at=at, limit=MAX_LISTED))


@resource.operation(
    "DELETE", "/v1/changes/<change>", scope="operate", answer=Change, examples={"change": "change-3f9c0a1b2c4d"}
)
def withdraw_change(change: str) -> Change:
    """Withdraw an announced change; windows scored from then on are not explained by it."""
    found = state().home.feedback.withdraw(Change, change)
    if found is None:
        raise refuse(404, f"There is no change {change!r}; GET /v1/changes lists those there are.")
    _log.info("change withdrawn", id=change)
    return found
