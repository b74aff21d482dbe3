"""What an output is still to be told: alerts that opened, rose, were judged or closed since it last heard of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from models.incidents import GAP, Alert
from models.scores import SEVERITIES
from service.outputs.notices import Event, Judgement, Notice, Told, dashboard_link
from service.statements import Verdict

LOOK_BACK = timedelta(days=7)  # of scores: an alert that begins before is cut there
RECENT = timedelta(days=1)  # an alert that ended earlier than that is history when it is first seen, and not told


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Writes messages.

    Parameters
    ----------
    now
        Time of the messages.
    new_id
        Gives an id that no other message has.
    public_url
        Address of the dashboard, or nothing.
    hosts
        Hosts by workload, as far as they are known.
    """

    now: datetime
    new_id: Callable[[], str]
    public_url: str = ""
    hosts: Mapping[str, list[str]] = field(default_factory=dict)

    def first(self, alert: Alert) -> Told:
        """Tell of an alert for the first time."""
        return Told(notice=self._notice("opened", 1, alert, opens=True, why="new"), end=alert.end)

    def next(
        self, told: Told, event: Event, alert: Alert, *, opens: bool, why: str, judgement: Judgement | None = None
    ) -> Told:
        """Tell what became of an alert, under the id it was first told by."""
        named = msgspec.structs.replace(alert, id=told.notice.alert.id)
        before = told.notice
        notice = self._notice(event, before.sequence + 1, named, opens=opens, why=why)
        notice = msgspec.structs.replace(
            notice, hosts=notice.hosts or before.hosts, judgement=judgement or before.judgement
        )
        heard = [*told.verdicts, judgement.id] if judgement else told.verdicts
        return Told(notice=notice, end=max(told.end, alert.end), verdicts=heard)

    def _notice(self, event: Event, sequence: int, alert: Alert, *, opens: bool, why: str) -> Notice:
        return Notice(
            id=self.new_id(),
            event=event,
            sequence=sequence,
            at=self.now,
            open=opens,
            alert=alert,
            why=why,
            hosts=self.hosts.get(alert.workload, []),
            link=dashboard_link(self.public_url, alert),
        )


def transitions(
    told: Sequence[Told],
    found: Sequence[Alert],
    verdicts: Sequence[Verdict],
    *,
    accepts: Callable[[Alert], bool],
    latest: datetime,
    writer: Writer,
) -> list[Told]:
    """Compare what an output knows with what is so.

    An alert is the one that was told if their spans overlap: late telemetry may move its start.

    Parameters
    ----------
    told
        What the output knows.
    found
        Alerts of the last `LOOK_BACK`, at the severity from which the output counts windows as strange.
    verdicts
        What people said, of any alert.
    accepts
        Whether the output wants to know of an alert that it does not know yet.
    latest
        End of the latest window that is scored: the time that silence is counted to.

    Returns
    -------
    What the output will know of each alert of which that changes, at most one message further. Compare again with
    these: when nothing is returned, all is told.
    """
    unmatched = sorted(told, key=lambda one: one.notice.alert.start)
    steps: list[Told] = []
    for alert in sorted(found, key=lambda alert: alert.start):
        match = next((one for one in unmatched if _same(one, alert)), None)
        if match is not None:
            unmatched.remove(match)
            steps += _go_on(match, alert, verdicts, latest, writer)
        elif _time(alert.end) > latest - RECENT and accepts(alert):
            steps.append(writer.first(alert))
    for one in unmatched:
        steps += _vanish(one, verdicts, latest, writer)
    return steps


def _same(told: Told, alert: Alert) -> bool:
    known = told.notice.alert
    overlap = known.workload == alert.workload and known.start < alert.end and alert.start < told.end
    return overlap or known.id == alert.id


def _go_on(told: Told, alert: Alert, verdicts: Sequence[Verdict], latest: datetime, writer: Writer) -> list[Told]:
    """Tell of an alert that is still there."""
    before = told.notice.alert.severity
    if SEVERITIES.index(alert.severity) > SEVERITIES.index(before):
        return [writer.next(told, "raised", alert, opens=True, why=f"was {before}")]
    if judged := _judged(told, alert, verdicts, writer):
        return [judged]
    if told.notice.open and latest - _time(alert.end) >= GAP:
        return [writer.next(told, "closed", alert, opens=False, why=f"nothing strange for {_hours(GAP)}")]
    return [msgspec.structs.replace(told, end=alert.end)] if told.end != alert.end else []


def _vanish(told: Told, verdicts: Sequence[Verdict], latest: datetime, writer: Writer) -> list[Told]:
    """Tell of an alert that is not found any more: it lies too far back, or its windows are scored otherwise now."""
    alert = msgspec.structs.replace(told.notice.alert, end=told.end)
    if judged := _judged(told, alert, verdicts, writer):
        return [judged]
    if not told.notice.open:
        return []
    past = latest - _time(told.end) >= LOOK_BACK
    why = f"nothing strange for {_hours(GAP)}" if past else "its windows are not strange any more"
    return [writer.next(told, "closed", alert, opens=False, why=why)]


def _judged(told: Told, alert: Alert, verdicts: Sequence[Verdict], writer: Writer) -> Told | None:
    for one in verdicts:
        meant = one.meets(alert.workload, _time(alert.start), _time(alert.end))
        if meant and one.id not in told.verdicts:
            judgement = Judgement(id=one.id, verdict=one.verdict, by=one.by, note=one.note)
            opens = told.notice.open and one.verdict != "expected"
            why = f"{one.verdict}, says {one.by}"
            return writer.next(told, "judged", alert, opens=opens, why=why, judgement=judgement)
    return None


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):g} hours"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
