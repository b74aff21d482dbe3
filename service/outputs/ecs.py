"""ECS: a message as a document of the Elastic Common Schema, version 8."""

from typing import Any

from models.scores import Severity
from service.outputs.notices import (
    PRODUCT,
    Notice,
    families,
    headline,
    product_version,
    reasons,
    story,
    technique_link,
    techniques,
)

VERSION = "8.17.0"
KEYWORD = 1024  # characters; longer keywords are not indexed
# What Elastic Security gives to rules of these severities.
SEVERITIES: dict[Severity, int] = {"none": 0, "low": 21, "medium": 47, "high": 73, "critical": 99}


def document(notice: Notice) -> dict[str, Any]:
    """Write a message as an ECS document; its `event.id` is the id to index it by, so that a repeat is not a second."""
    alert = notice.alert
    found: dict[str, Any] = {
        "@timestamp": _time(notice),
        "ecs": {"version": VERSION},
        "message": story(notice),
        "tags": families(alert),
        "labels": {"alert": alert.id, "workload": alert.workload},
        "event": {
            "id": notice.id,
            "sequence": notice.sequence,
            "kind": "alert" if notice.open else "event",
            "category": ["intrusion_detection"],
            "type": ["info"],
            "action": f"alert-{notice.event}",
            "module": "wharfinger",
            "dataset": "wharfinger.alert",
            "provider": "wharfinger",
            "created": _time(notice),
            "start": alert.start,
            "end": alert.end,
            "severity": SEVERITIES[alert.severity],
            "risk_score": round(100 * alert.strongest.score, 1),
            "reason": "; ".join([notice.why, *reasons(notice)])[:KEYWORD],
        },
        "rule": {
            "name": headline(notice)[:KEYWORD],
            "category": alert.severity,
            "ruleset": "wharfinger",
            "version": alert.strongest.model,
        },
        "service": {"name": alert.workload, "type": "container"},
        "observer": {"vendor": PRODUCT, "product": PRODUCT, "version": product_version(), "type": "detector"},
        "related": {"hosts": notice.hosts},
        "threat": _threat(techniques(notice)),
    }
    if notice.link:
        found["event"]["url"] = notice.link
    if len(notice.hosts) == 1:
        found["host"] = {"name": notice.hosts[0]}
    return found


def _threat(named: list[str]) -> dict[str, Any]:
    parents = list(dict.fromkeys(name.partition(".")[0] for name in named))
    children = [name for name in named if "." in name]
    return {
        "framework": "MITRE ATT&CK",
        "technique": {
            "id": parents,
            "reference": [technique_link(name) for name in parents],
            "subtechnique": {"id": children, "reference": [technique_link(name) for name in children]},
        },
    }


def _time(notice: Notice) -> str:
    return notice.at.isoformat().replace("+00:00", "Z")
