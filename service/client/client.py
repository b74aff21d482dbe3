"""The client: a method for each thing that the API does."""

import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import quote

import msgspec

from models.incidents import Incident
from models.proposals import Proposal
from models.scores import Score, Severity
from service.access.audit_record import AuditRecord
from service.api.schemas import Refused, ScoreAnswer, ScorePage, Window
from service.api.schemas.ads import StrategyList
from service.api.schemas.audit import AuditPage
from service.api.schemas.changes import ChangeList, ChangeRequest
from service.api.schemas.coverage import CoverageAnswer, WorkloadCoveragePage
from service.api.schemas.events import EventAnswer
from service.api.schemas.health import Health
from service.api.schemas.incidents import IncidentPage, Story
from service.api.schemas.models import Model, ModelList, Promotion
from service.api.schemas.verdicts import ProposalList, VerdictList, VerdictRequest
from service.api.schemas.workloads import Baseline, FeatureInfo, FeatureList, WorkloadList, WorkloadSummary
from service.client.errors import AnswerError, UnreachableError
from service.client.selection import CoverageSelection, Selection
from service.client.sending import Sent, Telemetry, send
from service.client.transport import Transport, decode
from service.covered import WorkloadCoverage
from service.statements import Change, Verdict
from service.strategy import Outline, Strategy

KEY_VARIABLE = "WHARFINGER_API_KEY"
_EVERY = 0.2  # seconds between two looks whether the service is ready
T = TypeVar("T")
Page = TypeVar("Page", ScorePage, IncidentPage, WorkloadCoveragePage, AuditPage)


class Client:
    """Speaks to one service; may be shared by threads, and used in a `with` statement.

    What is safe to do twice is tried again when the connection breaks, a proxy cannot reach the service, or the
    service asks to come back later (`Retry-After`, obeyed for up to a minute); the waits between grow and vary.

    Parameters
    ----------
    url
        Address of the service, such as `https://wharfinger.example`.
    key
        API key or token; by default the environment variable `WHARFINGER_API_KEY`, if it is set.
    ca_file
        PEM file of the only authorities to trust, in place of the machine's.
    timeout
        Seconds to wait for an answer.
    retries
        How often to try again.

    Raises
    ------
    ValueError
        If the address is none, or holds a password.
    ClientError
        If `ca_file` cannot be read. Every method raises it, as `AnswerError` if the service answered with a problem,
        as `UnreachableError` if it did not answer.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        key: str | None = None,
        ca_file: str | None = None,
        timeout: float = 60.0,
        retries: int = 4,
    ) -> None:
        shown = os.environ.get(KEY_VARIABLE) or None if key is None else key
        self._transport = Transport(url, key=shown, ca_file=ca_file, timeout=timeout, retries=retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client can be used again and opens new ones."""
        self._transport.close()

    def score(
        self,
        windows: Sequence[Window | Mapping[str, Any]] = (),
        events: Sequence[Mapping[str, Any]] = (),
        *,
        host: str | None = None,
    ) -> list[Score | Refused]:
        """Score windows of features, or raw events, at once; nothing is stored.

        Parameters
        ----------
        host
            Host of the events that name none.

        Returns
        -------
        An entry for each window in the order given, then for each window found in the events, then for each event
        that could not be read. A `Refused` stands where something could not be scored.
        """
        body = msgspec.json.encode({"windows": windows, "events": events, "host": host})
        answer = decode(self._transport.ask("POST", "/v1/scores", body=body, repeatable=True), ScoreAnswer)
        return [
            msgspec.convert(one, Refused) if "error" in one else msgspec.convert(one, Score) for one in answer.scores
        ]

    def send_events(self, records: Iterable[Telemetry], *, host: str | None = None, source: str | None = None) -> Sent:
        """Send telemetry, in as many requests as it takes; what was sent before is not taken in twice.

        Parameters
        ----------
        records
            Records of any source as it writes them, or their JSON; read as they are sent.
        host
            Host of the records that name none.
        source
            Source that every record is of; by default its own keys tell.

        Returns
        -------
        What became of them. Only this says that records were rejected: one that cannot be read harms no other.
        """

        def post(lines: bytes) -> EventAnswer:
            headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": uuid.uuid4().hex}
            query = {"host": host, "source": source}
            answer = self._transport.ask(
                "POST", "/v1/events", query=query, body=lines, headers=headers, repeatable=True
            )
            return decode(answer, EventAnswer)

        return send(records, post)

    def scores(self, **chosen: Unpack[Selection]) -> Iterator[Score]:
        """Go through stored scores, page by page: the newest first, or with `order="bits"` the strangest."""
        for page in self._pages("/v1/scores", ScorePage, **chosen):
            yield from page.scores

    def incidents(self, **chosen: Unpack[Selection]) -> Iterator[Incident]:
        """Go through incidents, page by page: the strongest first, or with `order="time"` the newest."""
        for page in self._pages("/v1/incidents", IncidentPage, **chosen):
            yield from page.incidents

    def incident(self, name: str, *, severity: Severity | None = None) -> Story:
        """Show an incident with its windows and verdicts; `severity` is that which it was listed with."""
        return self._get(f"/v1/incidents/{quote(name, safe='')}", Story, severity=severity)

    def give_verdict(self, incident: str, verdict: VerdictRequest) -> Verdict:
        """Say what an incident was."""
        return self._post_once(f"/v1/incidents/{quote(incident, safe='')}/verdict", verdict, Verdict)

    def verdicts(self, *, at: datetime | None = None) -> list[Verdict]:
        """List verdicts, the latest to expire first; with `at`, only those not expired by then."""
        return self._get("/v1/verdicts", VerdictList, at=at).verdicts

    def proposals(self, *, limit: int | None = None) -> list[Proposal]:
        """List the incidents whose verdict would help most, the most helpful first."""
        return self._get("/v1/verdicts/proposals", ProposalList, limit=limit).proposals

    def withdraw_verdict(self, name: str) -> Verdict:
        """Withdraw a verdict."""
        return decode(self._transport.ask("DELETE", f"/v1/verdicts/{quote(name, safe='')}"), Verdict)

    def announce(self, change: ChangeRequest) -> Change:
        """Announce a change, so that the drift it names raises no score."""
        return self._post_once("/v1/changes", change, Change)

    def changes(self, *, at: datetime | None = None) -> list[Change]:
        """List announced changes, the latest to expire first; with `at`, only those not expired by then."""
        return self._get("/v1/changes", ChangeList, at=at).changes

    def withdraw_change(self, name: str) -> Change:
        """Withdraw an announced change."""
        return decode(self._transport.ask("DELETE", f"/v1/changes/{quote(name, safe='')}"), Change)

    def workloads(self, *, since: datetime | None = None) -> list[WorkloadSummary]:
        """List the workloads that have stored scores, the strangest first."""
        return self._get("/v1/workloads", WorkloadList, since=since).workloads

    def baseline(self, workload: str) -> Baseline:
        """Tell what is normal for a workload."""
        return self._get(f"/v1/workloads/{quote(workload, safe='')}/baseline", Baseline)

    def coverage(self, **chosen: Unpack[CoverageSelection]) -> CoverageAnswer:
        """Tell which source tells of which host, since when it is silent, and how much has no known author."""
        return self._get("/v1/coverage", CoverageAnswer, **chosen)

    def covered_workloads(
        self, *, workload: str | None = None, limit: int | None = None, **chosen: Unpack[CoverageSelection]
    ) -> Iterator[WorkloadCoverage]:
        """Go through what each source tells of each workload on each host, page by page of `limit` rows."""
        for page in self._pages(
            "/v1/coverage/workloads", WorkloadCoveragePage, workload=workload, limit=limit, **chosen
        ):
            yield from page.workloads

    def features(self) -> list[FeatureInfo]:
        """List the features that a window may carry."""
        return self._get("/v1/features", FeatureList).features

    def models(self) -> ModelList:
        """List the models, the newest first, and which of them answers."""
        return self._get("/v1/models", ModelList)

    def model(self, version: str) -> Model:
        """Show a model's manifest."""
        return self._get(f"/v1/models/{quote(version, safe='')}", Model)

    def promote(self, version: str) -> Promotion:
        """Make a model the one that answers."""
        return decode(self._transport.ask("POST", f"/v1/models/{quote(version, safe='')}/promote"), Promotion)

    def strategies(self) -> list[Outline]:
        """List the detection strategies."""
        return self._get("/v1/ads", StrategyList).ads

    def strategy(self, name: str) -> Strategy:
        """Show a detection strategy in full."""
        return self._get(f"/v1/ads/{quote(name, safe='')}", Strategy)

    def audit(self, *, limit: int | None = None) -> Iterator[AuditRecord]:
        """Go through the audit log, page by page of `limit` records, the newest first."""
        for page in self._pages("/v1/audit", AuditPage, by="before", limit=limit):
            yield from page.records

    def openapi(self) -> dict[str, Any]:
        """Give the OpenAPI document."""
        return self._get("/v1/openapi.json", dict[str, Any])

    def metrics(self) -> str:
        """Give metrics in Prometheus' text format."""
        return self._transport.ask("GET", "/metrics").decode()

    def health(self) -> Health:
        """Tell that the service answers."""
        return decode(self._transport.look("/healthz"), Health)

    def ready(self) -> bool:
        """Tell whether the service can do its work."""
        try:
            self._transport.look("/readyz")
        except AnswerError as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            return False
        return True

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the service can do its work.

        Parameters
        ----------
        timeout
            Seconds to wait at most.

        Raises
        ------
        ClientError
            What kept it last, if it is not ready by then.
        """
        until = time.monotonic() + timeout
        while True:
            try:
                self._transport.look("/readyz")
            except (AnswerError, UnreachableError):
                if time.monotonic() >= until:
                    raise
                time.sleep(_EVERY)
            else:
                return

    def _get(self, path: str, kind: type[T], **query: object) -> T:
        return decode(self._transport.ask("GET", path, query=query), kind)

    def _pages(self, path: str, kind: type[Page], by: str = "cursor", **query: object) -> Iterator[Page]:
        following: str | int | None = None
        while True:
            page = self._get(path, kind, **query | {by: following})
            yield page
            if (following := page.next) is None:
                return

    def _post_once(self, path: str, body: msgspec.Struct, kind: type[T]) -> T:
        key = {"Idempotency-Key": uuid.uuid4().hex}
        answer = self._transport.ask("POST", path, body=msgspec.json.encode(body), headers=key, repeatable=True)
        return decode(answer, kind)
