"""Verdicts: what a person says of an incident, and what the service makes of it."""

from datetime import UTC, datetime

import structlog

from service.api.decoding import decode, read_body, read_query
from service.api.operations import Resource
from service.api.problems import refuse
from service.api.schemas import FeedbackQuery, utc
from service.api.schemas.verdicts import ProposalList, ProposalQuery, VerdictList, VerdictRequest
from service.feedback import MAX_LISTED
from service.jobs.errors import JobError
from service.jobs.incidents import UnknownIncidentError
from service.jobs.proposals import proposals
from service.jobs.verdicts import Ruled, give_verdict
from service.state import state
from service.statements import Verdict

resource = Resource("verdicts")
_log = structlog.get_logger("wharfinger.feedback")


@resource.operation(
    "POST",
    "/v1/incidents/<path:incident>/verdict",
    scope="operate",
    answer=Verdict,
    body=VerdictRequest,
    idempotent=True,
    examples={
        "incident": "2026-09-13T02:00:00Z/docker:shop/api",
        "body": {"verdict": "expected", "by": "ada", "note": "the new payment provider"},
    },
    problems=(413, 415, 422),
)
def give_a_verdict(incident: str) -> Verdict:
    """Say of an incident whether it was expected, an attack, or unsure.

    What made an `expected` incident strange is explained from now on,
    without retraining, and learnt at the next refresh; what made an `attack` strange is never learnt. `unsure` is kept
    for the record.
    """
    asked = decode(read_body(), VerdictRequest)
    ruled = Ruled(
        incident=incident,
        verdict=asked.verdict,
        by=asked.by,
        note=asked.note,
        at_least=asked.severity,
        until=utc(asked.until),
        siblings=asked.siblings,
    )
    try:
        verdict = give_verdict(state().home, ruled, now=datetime.now(UTC))
    except UnknownIncidentError as error:
        raise refuse(404, f"{error}; GET /v1/incidents lists those there are.") from None
    except JobError as error:
        raise refuse(422, f"{error}.") from None
    _log.info("verdict given", id=verdict.id, verdict=verdict.verdict, workload=verdict.workload, by=verdict.by)
    return verdict


@resource.operation("GET", "/v1/verdicts", scope="read", answer=VerdictList, query=FeedbackQuery, problems=(422,))
def list_verdicts() -> VerdictList:
    """List verdicts, the latest to expire first, 1,000 at most."""
    at = utc(read_query(FeedbackQuery).at)
    return VerdictList(verdicts=state().home.feedback.statements(Verdict, at=at, limit=MAX_LISTED))


@resource.operation(
    "GET", "/v1/verdicts/proposals", scope="read", answer=ProposalList, query=ProposalQuery, problems=(422, 503)
)
def propose_verdicts() -> ProposalList:
    """Propose alerts whose verdict would help most, the most helpful first, each with why.

    Alerts that have a verdict are left out. `settles` is how many alerts an `expected` verdict would explain.
    """
    try:
        return ProposalList(proposals=proposals(state().home, limit=read_query(ProposalQuery).limit))
    except JobError as error:
        raise refuse(503, f"{error}.") from None


@resource.operation(
    "DELETE", "/v1/verdicts/<verdict>", scope="operate", answer=Verdict, examples={"verdict": "verdict-3f9c0a1b2c4d"}
)
def withdraw_verdict(verdict: str) -> Verdict:
    """Withdraw a verdict; scores made from then on do not know it, and the next refresh learns without it."""
    found = state().home.feedback.withdraw(Verdict, verdict)
    if found is None:
        raise refuse(404, f"There is no verdict {verdict!r}; GET /v1/verdicts lists those there are.")
    _log.info("verdict withdrawn", id=verdict)
    return found
