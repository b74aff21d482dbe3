"""Reads the alerts that nobody ruled on, and proposes those whose verdict would help most."""

from datetime import datetime

import polars as pl

from models.detector import Detector
from models.incidents import Alert, alerts
from models.proposals import Proposal, propose
from service.jobs.score import model
from service.statements import Verdict
from service.storage import MAX_LIMIT
from service.wiring import Home


def proposals(home: Home, *, limit: int = 5) -> list[Proposal]:
    """Propose alerts to give a verdict on, of the newest 1,000 strange windows.

    Raises
    ------
    JobError
        If there is no model yet.
    """
    detector = model(home)
    windows, _ = home.store.query(severity="high", limit=MAX_LIMIT)
    verdicts = home.feedback.statements(Verdict)
    unruled = [alert for alert in alerts(windows) if not any(_meets(one, alert) for one in verdicts)]
    return propose(unruled, detector.channels.thresholds["high"], siblings(detector), limit=limit)


def _meets(verdict: Verdict, alert: Alert) -> bool:
    return verdict.meets(alert.workload, datetime.fromisoformat(alert.start), datetime.fromisoformat(alert.end))


def siblings(detector: Detector) -> dict[str, tuple[str, str]]:
    """Tell the image and the cohort of each workload that has an image: a verdict holds for all that share both."""
    named = detector.workloads().filter(pl.col("image_repository").is_not_null())
    return {
        name: (image, group) for name, image, group in named.select("workload", "image_repository", "cohort").rows()
    }
