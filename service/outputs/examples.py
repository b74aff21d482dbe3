"""A message to try outputs with."""

from datetime import datetime, timedelta

from models.incidents import Alert
from models.scores import BaselineInfo, Reason, Score
from service.outputs.notices import Notice, dashboard_link

WORKLOAD = "docker:example/test"


def example(now: datetime, name: str, public_url: str) -> Notice:
    """Make a message that says of itself that it is a test; `name` is its id."""
    start, end = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (now - timedelta(minutes=10), now))
    reason = Reason(
        feature="network.new_destination",
        value="203.0.113.66:443",
        expected="4 known destinations",
        bits=14.2,
        technique="T1071.001",
        text="this is a test: nothing happened (a reason would read: first contact with 203.0.113.66:443)",
    )
    strongest = Score(
        workload=WORKLOAD,
        window_start=start,
        window_end=end,
        score=0.65,
        bits=18.9,
        p_value=2.0**-18.9,
        severity="high",
        evidence={"network": 14.2},
        reasons=[reason],
        baseline=BaselineInfo(level="workload", maturity=0.97, windows=4032),
        model="test",
    )
    alert = Alert(
        id=f"{start}/{WORKLOAD}",
        workload=WORKLOAD,
        start=start,
        end=end,
        severity="high",
        bits=strongest.bits,
        windows=1,
        strongest=strongest,
    )
    link = dashboard_link(public_url, alert)
    return Notice(
        id=name, event="test", sequence=1, at=now, open=True, alert=alert, why="somebody tries this output", link=link
    )
