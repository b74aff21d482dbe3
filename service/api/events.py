"""Raw telemetry in a request, scored at once."""

from typing import Any

from features.ingest import events_from_records
from models.scores import Score
from service.api.problems import Problem, problem
from service.jobs.score import score_events
from service.wiring import Home


def score_records(
    home: Home, records: list[tuple[int, dict[str, Any]]], host: str | None
) -> tuple[list[Score], dict[int, Problem]]:
    """Score the windows that raw records lie in, as if each window held these records alone.

    Parameters
    ----------
    records
        Records by their number in the request.
    host
        Host of the records that name none.

    Returns
    -------
    The scores, and the problems of the records that no source can read.
    """
    if not records:
        return [], {}
    batch = events_from_records((record for _, record in records), host=host, ref="request")
    unread = {records[reject.line - 1][0]: problem(422, reject.reason) for reject in batch.rejects}
    return ([] if batch.events.is_empty() else score_events(home, batch.events)), unread
