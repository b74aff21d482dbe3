"""Raw telemetry in a request, scored at once."""

from typing import Any

from models.detector import Detector
from models.scores import Score
from service.api.problems import Problem, problem
from service.jobs.score import score_records
from service.wiring import Home


def score_events(
    detector: Detector, events: list[tuple[int, dict[str, Any]]], host: str | None, home: Home
) -> tuple[list[Score], dict[int, Problem]]:
    """Score the windows that raw records lie in, as if each window held these records alone.

    Parameters
    ----------
    events
        Records by their number in the request.
    host
        Host of the records that name none.
    home
        Whose settings and feedback hold.

    Returns
    -------
    The scores, and the problems of the records that no source can read.
    """
    if not events:
        return [], {}
    scores, unread = score_records(
        detector,
        [record for _, record in events],
        host=host,
        settings=home.settings,
        expected=home.feedback.expectations(),
    )
    return scores, {events[place][0]: problem(422, reason) for place, reason in unread}
