"""What outputs are told of an alert: everything a receiver may need, before any of them has it in its own format."""

from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal
from urllib.parse import quote, urlencode

import msgspec

from models.incidents import Alert

PRODUCT = "Wharfinger"
Event = Literal["opened", "raised", "judged", "closed", "test"]
_SHOWN_REASONS = 10


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of an alert; `id` is that of the verdict."""

    id: str
    verdict: str
    by: str
    note: str = ""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message about an alert, complete in itself.

    `id` names the message: the same id is the same message, sent again. `sequence` counts the messages that one output
    gets of one alert, from 1. `alert.id` stays what it was in the first of them. `open` says whether the alert stands
    after this message, `why` why the message was sent. `hosts` are those that ran the workload, `link` leads to the
    dashboard where the setting `public_url` tells its address.
    """

    id: str
    event: Event
    sequence: int
    at: datetime
    open: bool
    alert: Alert
    why: str
    hosts: list[str] = []
    judgement: Judgement | None = None
    link: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an output knows of an alert: the last message, the end of the alert since, and the verdicts it heard of."""

    notice: Notice
    end: str
    verdicts: list[str] = []


@cache
def product_version() -> str:
    """Give the version of this service; `0` where it runs without being installed."""
    try:
        return version("wharfinger")
    except PackageNotFoundError:
        return "0"


def headline(notice: Notice) -> str:
    """Say in a line what happened to which workload."""
    alert = notice.alert
    happened = {
        "opened": f"{alert.severity} alert",
        "raised": f"alert is now {alert.severity}",
        "judged": f"alert judged {notice.judgement.verdict if notice.judgement else 'unsure'}",
        "closed": f"{alert.severity} alert closed",
        "test": f"test of a {alert.severity} alert",
    }
    return f"{happened[notice.event]}: {alert.workload}"


def reasons(notice: Notice) -> list[str]:
    """Give the sentences that say why the strongest window is strange, strongest first, without what is explained."""
    found = [reason.text for reason in notice.alert.strongest.reasons if reason.explained is None]
    return found[:_SHOWN_REASONS]


def techniques(notice: Notice) -> list[str]:
    """Give the ATT&CK ids of the reasons, each once, strongest first."""
    found = (reason.technique for reason in notice.alert.strongest.reasons if reason.explained is None)
    return list(dict.fromkeys(technique for technique in found if technique))


def families(alert: Alert) -> list[str]:
    """Give the families of features that made the strongest window strange, strongest first."""
    found = (reason.feature.partition(".")[0] for reason in alert.strongest.reasons if reason.explained is None)
    return list(dict.fromkeys(found))


def technique_link(technique: str) -> str:
    """Give the page of a technique, or of a sub-technique, on attack.mitre.org."""
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}/"


def story(notice: Notice) -> str:
    """Tell the alert in plain lines: what happened, why, where and since when."""
    alert = notice.alert
    windows = "1 strange window" if alert.windows == 1 else f"{alert.windows} strange windows"
    lines = [
        f"{headline(notice)} ({notice.why})",
        f"{windows} from {alert.start} to {alert.end}, {alert.bits:.1f} bits at the strongest",
        *(f"- {reason}" for reason in reasons(notice)),
    ]
    if named := techniques(notice):
        lines.append(f"techniques: {', '.join(named)}")
    if notice.hosts:
        lines.append(f"hosts: {', '.join(notice.hosts)}")
    if notice.judgement and notice.judgement.note:
        lines.append(f"{notice.judgement.by} says: {notice.judgement.note}")
    if notice.link:
        lines.append(notice.link)
    return "\n".join(lines)


def dashboard_link(public_url: str, alert: Alert) -> str:
    """Give the page of the alert's strongest window; nothing where the dashboard's address is not known."""
    if not public_url:
        return ""
    window = urlencode({"at": alert.strongest.window_start})
    return f"{public_url.rstrip('/')}/workloads/{quote(alert.workload)}?{window}"


def shorten(text: str, most: int) -> str:
    """Cut a text to a number of characters; one that was cut ends in an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
