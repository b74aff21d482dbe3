"""The model that answers."""

from models.detector import Detector
from service.api.problems import refuse
from service.state import state


def champion() -> Detector:
    """Give the model in use.

    Raises
    ------
    ProblemError
        503 if there is none.
    """
    detector = state().model.get()
    if detector is None:
        raise refuse(503, state().model.problem or "There is no model yet; run: wharfinger refresh", kind="no-model")
    return detector
