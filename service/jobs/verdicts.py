"""Turns a person's word on an incident into a verdict that can be kept and applied."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features.addresses import internal_networks
from features.extraction import extract_days
from features.identity import cohort
from features.windows import KEY, Windows, merge_windows
from models.detector import Detector
from models.scores import Severity
from service.feedback import new_id
from service.jobs.announce import announce
from service.jobs.errors import JobError
from service.jobs.incidents import find
from service.jobs.score import model
from service.statements import Ruling, Verdict
from service.wiring import Home

EXPIRY = timedelta(days=90)
MOST_ITEMS = 1_000


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """What a person said.

    Parameters
    ----------
    incident
        Identifier of the incident: the start of one of its windows, a slash and its workload.
    at_least
        Severity that its windows have, as the alerts were listed.
    until
        When the verdict expires; after `EXPIRY` by default.
    siblings
        Whether it holds for workloads of the same image in the same cohort too.
    """

    incident: str
    verdict: Ruling
    by: str
    note: str = ""
    at_least: Severity = "high"
    until: datetime | None = None
    siblings: bool = True


def give_verdict(home: Home, ruled: Ruled, *, now: datetime) -> Verdict:
    """Keep a verdict; it holds for scores made from now on, and for the next refresh.

    Raises
    ------
    UnknownIncidentError
        If no such incident is stored.
    JobError
        If the verdict would have expired already.
    """
    incident = find(home.database, ruled.incident, at_least=ruled.at_least)
    start, end, workload = incident.start, incident.end, incident.workload
    until = ruled.until or max(now, end) + EXPIRY
    if until <= now:
        raise JobError("the verdict would have expired already (name a later time)")
    detector = model(home)
    seen = _windows(home, workload, start, end)
    items = _new(seen, detector)
    if len(items) > MOST_ITEMS and ruled.verdict == "expected":
        raise JobError(f"{len(items):,} new items are too many to vouch for (announce a change with patterns instead)")
    image = _image(detector, workload) if ruled.siblings else None
    verdict = Verdict(
        id=new_id(Verdict),
        verdict=ruled.verdict,
        workload=workload,
        start=start,
        end=end,
        until=until,
        by=ruled.by,
        note=ruled.note,
        items=items[:MOST_ITEMS],
        at_most=_largest(seen.values),
        image_repository=image,
        cohort=cohort(workload) if image else None,
    )
    home.feedback.add(verdict)
    announce(home, now=now)
    return verdict


def _windows(home: Home, workload: str, start: datetime, end: datetime) -> Windows:
    networks = internal_networks(home.settings.internal_cidrs)
    found = merge_windows(list(extract_days(home.lake, start, end, networks=networks)))
    own = pl.col("workload") == workload
    return Windows(found.values.filter(own), found.items.filter(own), found.facts)


def _new(seen: Windows, detector: Detector) -> list[tuple[str, str]]:
    """List what the workload met and the model does not know of it."""
    on = ["workload", "feature", "item"]
    fresh = seen.items.join(detector.normal.baseline.items, on=on, how="anti")
    return sorted(set(fresh.select("feature", "item").rows()))


def _largest(values: pl.DataFrame) -> dict[str, float]:
    most = values.select(pl.exclude(KEY).max()).row(0, named=True) if len(values) else {}
    return {name: value for name, value in most.items() if value}


def _image(detector: Detector, workload: str) -> str | None:
    known = detector.baseline(workload)
    return known["image_repository"] if known else None
