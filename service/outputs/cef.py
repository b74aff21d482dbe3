"""CEF: a message as a line of ArcSight's Common Event Format, version 0, with its rules of escaping and length."""

from datetime import datetime

from models.scores import Severity
from service.outputs.notices import PRODUCT, Notice, families, headline, product_version, shorten, story, techniques

SEVERITIES: dict[Severity, int] = {"none": 0, "low": 3, "medium": 5, "high": 8, "critical": 10}
# Longest values of the extension dictionary, in characters.
MOST_NAME, MOST_HOST, MOST_MESSAGE, MOST_CUSTOM = 512, 1_023, 1_023, 4_000
_CUSTOM = ("cs1", "cs2", "cs3", "cs4", "cs5")


def line(notice: Notice) -> str:
    """Write a message as one CEF line, without the line's end.

    Source: ArcSight Common Event Format (CEF) Implementation Standard, "CEF Format" and "Character Encoding".
    """
    header = (PRODUCT, PRODUCT, product_version(), f"alert-{notice.event}", shorten(headline(notice), MOST_NAME))
    extension = " ".join(f"{key}={escape_value(value)}" for key, value in _extension(notice) if value)
    severity = SEVERITIES[notice.alert.severity]
    return f"CEF:0|{'|'.join(escape_header(field) for field in header)}|{severity}|{extension}"


def escape_header(text: str) -> str:
    r"""Escape a field of the header, which holds one line.

    Examples
    --------
    >>> print(escape_header("a|b\\c\nd"))
    a\|b\\c d
    """
    return _printable(" ".join(text.splitlines())).replace("\\", "\\\\").replace("|", "\\|")


def escape_value(text: str) -> str:
    r"""Escape a value of the extension, whose lines are written `\n`.

    Examples
    --------
    >>> print(escape_value("a=b\\c\nd|e"))
    a\=b\\c\nd|e
    """
    lines = (_printable(part).replace("\\", "\\\\").replace("=", "\\=") for part in text.splitlines())
    return "\\n".join(lines)


def _extension(notice: Notice) -> list[tuple[str, str]]:
    alert = notice.alert
    custom = (
        ("workload", alert.workload),
        ("alert", alert.id),
        ("techniques", ", ".join(techniques(notice))),
        ("link", notice.link),
        ("hosts", ", ".join(notice.hosts)),
    )
    found = [
        ("externalId", notice.id),
        ("rt", str(int(notice.at.timestamp() * 1000))),
        ("start", _milliseconds(alert.start)),
        ("end", _milliseconds(alert.end)),
        ("cnt", str(alert.windows)),
        ("cat", ",".join(families(alert))),
        ("act", notice.event),
        ("outcome", "open" if notice.open else "closed"),
        ("reason", shorten(notice.why, MOST_MESSAGE)),
        ("dhost", shorten(notice.hosts[0], MOST_HOST) if notice.hosts else ""),
        ("cn1", str(notice.sequence)),
        ("cn1Label", "sequence"),
        ("cfp1", f"{alert.bits:.1f}"),
        ("cfp1Label", "bits"),
    ]
    for key, (label, value) in zip(_CUSTOM, custom, strict=True):
        if value:
            found += [(key, shorten(value, MOST_CUSTOM)), (f"{key}Label", label)]
    return [*found, ("msg", shorten(story(notice), MOST_MESSAGE))]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _milliseconds(moment: str) -> str:
    return str(int(datetime.fromisoformat(moment).timestamp() * 1000))
