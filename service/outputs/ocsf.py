"""OCSF: a message as a Detection Finding (class 2004) of the Open Cybersecurity Schema Framework, version 1.5."""

from datetime import datetime
from typing import Any

import msgspec

from models.scores import SEVERITIES
from service.outputs.notices import (
    PRODUCT,
    Notice,
    families,
    headline,
    product_version,
    story,
    technique_link,
    techniques,
)

VERSION = "1.5.0"
CATEGORY, CLASS = 2, 2004
LEARNING = 4  # analytic.type_id of machine learning
ACTIVITIES = {"opened": (1, "Create"), "raised": (2, "Update"), "judged": (2, "Update"), "closed": (3, "Close")}
OTHER = (99, "Test")


def detection_finding(notice: Notice) -> dict[str, Any]:
    """Write a message as an OCSF event; times are milliseconds since 1970 (`timestamp_t`)."""
    alert = notice.alert
    activity, activity_name = ACTIVITIES.get(notice.event, OTHER)
    status, status_name = _status(notice)
    first, last, now = _milliseconds(alert.start), _milliseconds(alert.end), int(notice.at.timestamp() * 1000)
    severity = SEVERITIES.index(alert.severity) + 1  # informational, low, medium, high, critical
    return {
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": CLASS * 100 + activity,
        "type_name": f"Detection Finding: {activity_name}",
        "time": now,
        "start_time": first,
        "end_time": last,
        "count": alert.windows,
        "severity_id": severity,
        "severity": "Informational" if severity == 1 else alert.severity.title(),
        "status_id": status,
        "status": status_name,
        "status_detail": notice.why,
        "is_alert": True,
        "message": headline(notice),
        "risk_score": round(100 * alert.strongest.score),
        "metadata": {
            "version": VERSION,
            "uid": notice.id,
            "sequence": notice.sequence,
            "logged_time": now,
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": product_version()},
        },
        "finding_info": {
            "uid": alert.id,
            "title": headline(notice),
            "desc": story(notice),
            "created_time": first,
            "first_seen_time": first,
            "last_seen_time": last,
            "modified_time": now,
            "types": families(alert),
            "attacks": [_attack(technique) for technique in techniques(notice)],
            "analytic": {
                "name": "Isolation forests over evidence",
                "type_id": LEARNING,
                "type": "Learning (ML/DL)",
                "version": alert.strongest.model,
            },
            **({"src_url": notice.link} if notice.link else {}),
        },
        "resources": [
            {"uid": alert.workload, "name": alert.workload, "type": "Container workload"},
            *({"name": host, "hostname": host, "type": "Host"} for host in notice.hosts),
        ],
        "evidences": [
            {"name": reason.feature, "data": msgspec.to_builtins(reason)} for reason in alert.strongest.reasons
        ],
        **({"comment": notice.judgement.note} if notice.judgement and notice.judgement.note else {}),
    }


def _status(notice: Notice) -> tuple[int, str]:
    if not notice.open:
        expected = notice.judgement is not None and notice.judgement.verdict == "expected"
        return (3, "Suppressed") if expected else (4, "Resolved")
    return (1, "New") if notice.event in ("opened", "test") else (2, "In Progress")


def _attack(technique: str) -> dict[str, Any]:
    parent, _, child = technique.partition(".")
    named: dict[str, Any] = {"technique": {"uid": parent, "src_url": technique_link(parent)}}
    if child:
        named["sub_technique"] = {"uid": technique, "src_url": technique_link(technique)}
    return named


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
