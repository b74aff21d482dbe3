"""Turns a person's word on an incident into a verdict that can be kept and applied."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features.addresses import internal_networks
from features.extraction import extract_days
from features.identity import cohort
from features.windows import KEY, Windows, merge_windows
from models.detector import Detector
from models.incidents import GAP
from models.scores import SEVERITIES, Score, Severity
from service.feedback import new_id
from service.jobs.announce import announce
from service.jobs.errors import JobError
from service.jobs.score import model
from service.statements import Ruling, Verdict
from service.storage import MAX_LIMIT
from service.wiring import Home

EXPIRY = timedelta(days=90)
MOST_ITEMS = 1_000


class UnknownIncidentError(JobError):
    """No such incident is stored."""


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """What a person said.

    Parameters
    ----------
    incident
        Identifier of the alert: its start, a slash and its workload.
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
    run = list(_run(home, ruled))
    start, end = (datetime.fromisoformat(one) for one in (run[0].window_start, run[-1].window_end))
    until = ruled.until or max(now, end) + EXPIRY
    if until <= now:
        raise JobError("the verdict would have expired already (name a later time)")
    workload = run[0].workload
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


def _run(home: Home, ruled: Ruled) -> Iterator[Score]:
    """Read the strange windows of an incident: those that follow its start without a gap."""
    began, _, workload = ruled.incident.partition("/")
    try:
        start = datetime.fromisoformat(began)
    except ValueError:
        raise UnknownIncidentError(f"{ruled.incident!r} is no incident: it reads START/WORKLOAD") from None
    first = home.store.get(workload, start) if start.tzinfo else None
    if first is None or SEVERITIES.index(first.severity) < SEVERITIES.index(ruled.at_least):
        raise UnknownIncidentError(f"no incident {ruled.incident!r} of severity {ruled.at_least} or more is stored")
    last = datetime.fromisoformat(first.window_end)
    cells = home.store.cells(workloads=[workload], since=start)
    for cell in cells[:MAX_LIMIT]:
        if SEVERITIES.index(cell.severity) < SEVERITIES.index(ruled.at_least):
            continue
        if cell.window_start - last >= GAP:
            return
        score = home.store.get(workload, cell.window_start)
        if score is not None:
            last = datetime.fromisoformat(score.window_end)
            yield score


def _image(detector: Detector, workload: str) -> str | None:
    known = detector.baseline(workload)
    return known["image_repository"] if known else None
