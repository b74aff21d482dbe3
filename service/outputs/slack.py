"""Slack: a message as blocks, through an incoming webhook, within Slack's limits."""

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import msgspec

from models.scores import Severity
from service.outputs.credentials import one_of, read_secret
from service.outputs.errors import DeliveryError
from service.outputs.notices import Notice, headline, reasons, shorten, techniques
from service.outputs.output import Output, Surroundings
from service.outputs.posting import post
from service.outputs.urls import check_url

MOST_BLOCKS = 50
MOST_HEADER = 150
MOST_TEXT = 3_000
MOST_FIELD = 2_000
_RAW_LINE = 500  # escaped, a character becomes five at most
MARKS: dict[Severity, str] = {
    "none": ":white_circle:",
    "low": ":large_blue_circle:",
    "medium": ":large_yellow_circle:",
    "high": ":large_orange_circle:",
    "critical": ":red_circle:",
}


class Slack(Output, frozen=True, kw_only=True, tag="slack"):
    """Posts to one channel; `secret_env` or `secret_file` hold the webhook's address, which is all it takes to post."""

    secret_env: str | None = None
    secret_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse an output without an address."""
        one_of(self.secret_env, self.secret_file, "secret")
        if not (self.secret_env or self.secret_file):
            raise ValueError("slack needs secret_env or secret_file, which hold the address of an incoming webhook")

    def send(self, notice: Notice, surroundings: Surroundings) -> None:
        """Post the message; Slack knows no idempotency key, so that a repeat is shown twice."""
        url = read_secret(self.secret_env, self.secret_file, surroundings.environ) or ""
        try:
            check_url(url)
        except ValueError as error:
            raise DeliveryError(f"the secret is no address: {error}") from None
        post(url, msgspec.json.encode(message(notice)), {}, surroundings.now, hidden=[url, url.rpartition("/")[2]])


def message(notice: Notice) -> dict[str, Any]:
    """Write a message as blocks, with the headline as `text` for notifications."""
    mark = MARKS[notice.alert.severity] if notice.open else ":white_check_mark:"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(headline(notice), MOST_HEADER)},
        {"type": "section", "text": _marked(_lines([f"{mark} {notice.why}", *_bullets(notice)]))},
        {"type": "section", "fields": [_marked(_field(name, value)) for name, value in _facts(notice)]},
    ]
    if notice.link:
        button = {"type": "button", "text": _plain("Open", MOST_HEADER), "url": shorten(notice.link, MOST_TEXT)}
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": escape(shorten(headline(notice), _RAW_LINE)), "blocks": blocks}


def escape(text: str) -> str:
    """Write Slack's three control characters as text.

    Examples
    --------
    >>> escape("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _bullets(notice: Notice) -> list[str]:
    return [f"• {escape(shorten(reason, _RAW_LINE))}" for reason in reasons(notice)]


def _facts(notice: Notice) -> list[tuple[str, str]]:
    alert = notice.alert
    facts = [
        ("workload", alert.workload),
        ("severity", f"{alert.severity}, {alert.bits:.1f} bits"),
        ("windows", f"{alert.windows} from {alert.start} to {alert.end}"),
        ("techniques", ", ".join(techniques(notice))),
        ("hosts", ", ".join(notice.hosts)),
    ]
    if notice.judgement:
        facts.append((f"{notice.judgement.by} says", notice.judgement.note or notice.judgement.verdict))
    return [(name, value) for name, value in facts if value]


def _field(name: str, value: str) -> str:
    return f"*{escape(shorten(name, 60))}*\n{escape(shorten(value, MOST_FIELD // 5 - 80))}"


def _lines(lines: Iterable[str]) -> str:
    """Join as many lines as one text holds."""
    kept = list(lines)
    lengths = accumulate(len(line) + 1 for line in kept)
    return "\n".join(line for line, length in zip(kept, lengths, strict=True) if length <= MOST_TEXT)


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": shorten(text, most), "emoji": False}


def _marked(text: str) -> dict[str, Any]:
    # verbatim: names that an adversary chose become neither links nor mentions
    return {"type": "mrkdwn", "text": text, "verbatim": True}
