"""Alertmanager's outputs against Alertmanager itself, of Debian's package."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import urllib3

from service.outputs.alertmanager import Alertmanager, alerts
from service.outputs.notices import Notice
from service.outputs.output import Surroundings
from tests.service.outputs.conftest import HOSTILE, eventually, free_port, make_notice, require, running

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
CONFIGURATION = """
route: {receiver: nobody, group_by: [alertname]}
receivers: [{name: nobody}]
"""


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an Alertmanager without peers on a private port, and give its address."""
    program = require(PROGRAM, "prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "am.yml").write_text(CONFIGURATION)
    address = f"127.0.0.1:{free_port()}"
    command = [program, f"--config.file={folder}/am.yml", f"--storage.path={folder}/data", "--cluster.listen-address="]
    with running([*command, f"--web.listen-address={address}"], folder / "log"):
        eventually(lambda: _ready(address), "Alertmanager")
        yield f"http://{address}"


def _ready(address: str) -> bool:
    try:
        return urllib3.request("GET", f"http://{address}/-/ready", retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def firing(manager: str, workload: str) -> list[dict[str, Any]]:
    """Read back, through the API, which alerts of a workload fire."""
    found = json.loads(urllib3.request("GET", f"{manager}/api/v2/alerts").data)
    return [alert for alert in found if alert["labels"]["workload"] == workload]


def send(manager: str, notice: Notice) -> None:
    Alertmanager(name="am", url=manager).send(notice, Surroundings(now=datetime.now(UTC), environ={}))


def about(workload: str, **changes: Any) -> Notice:
    notice = make_notice(**changes)
    return msgspec.structs.replace(notice, alert=msgspec.structs.replace(notice.alert, workload=workload))


def test_alert_fires_rises_and_is_resolved(manager: str) -> None:
    """An alert fires once with what it is about, again with a higher severity only, and ends when it is closed."""
    send(manager, about("w:one"))
    (opened,) = eventually(lambda: firing(manager, "w:one"), "the alert")
    send(manager, about("w:one", event="raised", sequence=2, severity="critical"))
    raised = eventually(
        lambda: [one for one in firing(manager, "w:one") if one["labels"]["severity"] == "critical"], "its rise"
    )
    still = firing(manager, "w:one")
    send(manager, about("w:one", event="closed", sequence=3, severity="critical", open=False))

    eventually(lambda: not firing(manager, "w:one"), "its end")
    assert opened["labels"]["alertname"] == "Wharfinger"
    assert opened["labels"]["severity"] == "high"
    assert opened["annotations"]["summary"] == "high alert: w:one"
    assert "first contact with 203.0.113.66:4444" in opened["annotations"]["description"]
    assert opened["generatorURL"].startswith("https://wharfinger.example/workloads/")
    assert opened["startsAt"].startswith("2026-09-14T09:10:00")
    assert len(raised) == len(still) == 1


def test_repeat_is_the_same_alert(manager: str) -> None:
    """A message that is delivered twice fires once."""
    for _ in range(2):
        send(manager, about("w:two"))

    eventually(lambda: firing(manager, "w:two"), "the alert")
    assert len(firing(manager, "w:two")) == 1


def test_hostile_words_arrive_as_they_are(manager: str) -> None:
    """What an adversary chose as a name is text to Alertmanager, too."""
    send(manager, about("w:three" + HOSTILE, text=HOSTILE))

    (alert,) = eventually(lambda: firing(manager, "w:three" + HOSTILE), "the alert")
    assert HOSTILE in alert["annotations"]["description"]


@pytest.mark.parametrize("event", ["opened", "test"])
def test_alert_ends_by_itself(event: str) -> None:
    """An alert of a service that was taken away does not fire for ever, and a test ends within minutes."""
    now = datetime(2026, 9, 14, 12, tzinfo=UTC)
    most = timedelta(days=7) if event == "opened" else timedelta(minutes=5)

    ends = [datetime.fromisoformat(alert["endsAt"]) for alert in alerts(make_notice(event=event), now)]

    assert sorted(ends) == [now, now, now, now + most]
