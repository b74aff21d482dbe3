"""Types of verdicts and of what to give one on."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from models.proposals import Proposal
from service.api.schemas import Moment, Note, Person
from service.statements import Ruling, Verdict


class VerdictRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of an incident."""

    verdict: Ruling
    by: Person
    note: Note = ""
    until: Annotated[Moment | None, Meta(description="When the verdict expires; after 90 days by default.")] = None
    severity: Annotated[
        Literal["low", "medium", "high", "critical"], Meta(description="As the incidents were listed with.")
    ] = "high"
    siblings: Annotated[bool, Meta(description="Hold for workloads of the same image in the same cohort too.")] = True


class VerdictList(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts."""

    verdicts: list[Verdict]


class ProposalQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts to propose."""

    limit: Annotated[int, Meta(ge=1, le=100, description="Proposals in the answer.")] = 5


class ProposalList(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts to give a verdict on, the most helpful first."""

    proposals: list[Proposal]
