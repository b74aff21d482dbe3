"""Scores the closed windows of the lake, and stores the scores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from features.addresses import internal_networks
from features.expectations import Expectation
from features.extraction import closed_until, extract, extract_days
from features.ingest import events_from_records
from features.leases import LEASE_COLUMNS, attribute, build_leases
from features.online.windows import FEW, extract_few
from features.placements import hosts_of_windows
from features.protocols import Record
from features.windows import WINDOW, Windows, floor_window, merge_windows
from models.detector import Detector
from models.scores import Score
from service.jobs.announce import announce
from service.jobs.errors import JobError
from service.jobs.progress import Progress, silent
from service.jobs.retention import expire_scores, oldest_score
from service.leases import Lease, LeaseError, alone
from service.settings import Settings
from service.wiring import Home, champion

_PATIENCE = 60.0  # seconds that a run waits for another


def score(
    home: Home,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    closed: datetime | None = None,
    detector: Detector | None = None,
    progress: Progress = silent,
) -> list[Score]:
    """Score every closed window, and store the scores for as long as the settings keep them.

    Scoring again gives the same scores, whatever the span: windows from the end of the baseline on are always weighed
    together, so that what stays new counts less.

    Parameters
    ----------
    home
        Where lake, registry and store lie.
    since, until
        Only windows of which any part lies in since <= t < until: both snap outwards to full windows.
    closed
        Until when windows are closed; by default those after whose end the lake has an event.
    detector
        Model that scores; by default the champion.
    progress
        Told the step, and the share of it that is done.

    Returns
    -------
    Scores by window, then workload.

    Raises
    ------
    JobError
        If there is no model yet, the lake is empty, or another process scores for longer than a minute.
    service.outputs.errors.OutputError
        If an output is not as it can be; the scores are stored then.
    """
    detector, now = detector or model(home), datetime.now(UTC)
    span, closed = home.lake.span(), closed or closed_until(home.lake, now)
    if span is None or closed is None:
        raise JobError("the lake is empty (run wharfinger ingest first)")
    first = floor_window(span[0] if since is None else max(since, span[0]))
    last = closed if until is None else min(floor_window(until + WINDOW - timedelta.resolution), closed)
    learnt = detector.normal.baseline.until
    expected = home.feedback.expectations(since=first)
    oldest = oldest_score(home, now)
    scores: list[Score] = []
    with _alone(home) as lease:
        # What the baseline has learnt from, and what came after it, are scored apart: only the latter can stay new.
        for start, end in ((first, min(last, learnt)), (learnt, last)):
            if max(start, first) < end:
                days = list(_days(home, start, end, progress))
                found = detector.score(merge_windows(days), max(start, first), expected=expected) if days else []
                kept = (one for one in found if datetime.fromisoformat(one.window_start) >= oldest)
                home.store.replace(kept, hosts=_hosts(home, found, max(start, first), end), confirm=lease.confirm)
                scores += found
    expire_scores(home, now)
    announce(home, now=now)
    return _ordered(scores)


@contextmanager
def _alone(home: Home) -> Iterator[Lease]:
    """Score as the only one: whoever read the lake earlier must not write later."""
    try:
        with alone(home.database, "scoring", patience=_PATIENCE) as lease:
            yield lease
    except LeaseError as error:
        raise JobError(str(error)) from None


def _days(home: Home, since: datetime, until: datetime, progress: Progress) -> Iterator[Windows]:
    networks = internal_networks(home.settings.internal_cidrs)

    def told(done: float) -> None:
        progress("windows", done)

    return extract_days(home.lake, since, until, networks=networks, lives=home.lives, progress=told)


def _hosts(
    home: Home, scores: Sequence[Score], since: datetime, until: datetime
) -> dict[tuple[str, datetime], list[str]]:
    """Tell on which hosts workloads ran in the windows that were scored."""
    scored = {(one.workload, datetime.fromisoformat(one.window_start)) for one in scores}
    found: dict[tuple[str, datetime], list[str]] = {}
    for workload, start, host in hosts_of_windows(home.lives.placements(until), since, until).iter_rows():
        if (workload, start) in scored:
            found.setdefault((workload, start), []).append(host)
    return found


def score_records(
    detector: Detector,
    records: Sequence[Record],
    *,
    host: str | None,
    settings: Settings,
    expected: Sequence[Expectation] = (),
) -> tuple[list[Score], list[tuple[int, str]]]:
    """Score the windows that raw records lie in, as if they were closed; nothing is stored.

    Parameters
    ----------
    detector
        Model that scores.
    records
        Decoded records of any source. What they say of containers and addresses attributes them; the lake is not asked.
    host
        Host of records that do not name one.
    settings
        Say which networks are internal.
    expected
        What somebody vouched for.

    Returns
    -------
    Scores by window, then workload; and the number and reason of each record that cannot be read.
    """
    batch = events_from_records(records, host=host, ref="request")
    events = attribute(
        batch.events,
        build_leases(batch.events.select(LEASE_COLUMNS)),
        internal_networks(settings.internal_cidrs),
    )
    windows = extract_few(events) if len(events) <= FEW else extract(events)
    return _ordered(detector.score(windows, expected=expected)), [
        (reject.line - 1, reject.reason) for reject in batch.rejects
    ]


def model(home: Home) -> Detector:
    """Load the champion, or say how to make one.

    Raises
    ------
    JobError
        If no model was promoted yet.
    """
    detector = champion(home)
    if detector is None:
        raise JobError("there is no model yet (run wharfinger refresh first)")
    return detector


def _ordered(scores: list[Score]) -> list[Score]:
    return sorted(scores, key=lambda score: (score.window_start, score.workload))
