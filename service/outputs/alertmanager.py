"""Alertmanager: an alert that fires while it stands and is resolved when it does not, through its API v2."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from models.scores import SEVERITIES
from service.outputs.notices import Notice, headline, story, techniques
from service.outputs.output import Surroundings
from service.outputs.posting import HttpOutput

FIRES_FOR = timedelta(days=7)  # without any further message; Alertmanager would forget it after minutes
TEST_FIRES_FOR = timedelta(minutes=5)
PATH = "/api/v2/alerts"


class Alertmanager(HttpOutput, frozen=True, kw_only=True, tag="alertmanager"):
    """Posts to one Alertmanager; `url` is its address without `/api/v2/alerts`."""

    def send(self, notice: Notice, surroundings: Surroundings) -> None:
        """Post the alert's state; Alertmanager takes a repeat as the same alert."""
        body = msgspec.json.encode(alerts(notice, surroundings.now))
        msgspec.structs.replace(self, url=self.url.rstrip("/") + PATH).post(body, {}, surroundings)


def alerts(notice: Notice, now: datetime) -> list[dict[str, Any]]:
    """Write the state of an alert: firing with its severity as long as it stands, resolved with any other.

    Alertmanager knows an alert by its labels, and routes by the label `severity`: an alert that rose is another one to
    it, and the one before must end.
    """
    ends = now + (TEST_FIRES_FOR if notice.event == "test" else FIRES_FOR)
    return [
        _alert(notice, severity, ends if notice.open and severity == notice.alert.severity else now)
        for severity in SEVERITIES[1:]
    ]


def _alert(notice: Notice, severity: str, ends: datetime) -> dict[str, Any]:
    alert = notice.alert
    return {
        "labels": {
            "alertname": "WharfingerTest" if notice.event == "test" else "Wharfinger",
            "severity": severity,
            "workload": alert.workload,
            "alert": alert.id,
        },
        "annotations": {
            "summary": headline(notice),
            "description": story(notice),
            "techniques": ", ".join(techniques(notice)),
            "hosts": ", ".join(notice.hosts),
        },
        "startsAt": min(datetime.fromisoformat(alert.start), ends).isoformat(),
        "endsAt": ends.isoformat(),
        **({"generatorURL": notice.link} if notice.link else {}),
    }
