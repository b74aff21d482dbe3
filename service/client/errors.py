"""What goes wrong between a client and the service."""

from service.api.schemas.problems import Fault, Problem

_SHOWN_FAULTS = 3


class ClientError(Exception):
    """The service did not do what it was asked; the message is one line that says why."""


class UnreachableError(ClientError):
    """The service gave no answer: whether it did what it was asked is not known."""


class AnswerError(ClientError):
    """The service answered with a problem (RFC 9457).

    Parameters
    ----------
    asked
        Method and path.
    problem
        What the service said, or what can be told from the status where something before it answered.
    """

    def __init__(self, asked: str, problem: Problem) -> None:
        told = problem.detail or problem.title
        single = [f"{fault.pointer} {fault.detail}".strip() for fault in problem.errors[:_SHOWN_FAULTS]]
        parts = [told, *(one for one in single if one not in told)]
        super().__init__(f"{asked} was answered {problem.status}: {'; '.join(parts)}")
        self.problem = problem

    @property
    def status(self) -> int:
        """HTTP status of the answer."""
        return self.problem.status

    @property
    def title(self) -> str:
        """Kind of problem, in words."""
        return self.problem.title

    @property
    def detail(self) -> str:
        """What is wrong with this request and what to do."""
        return self.problem.detail

    @property
    def errors(self) -> list[Fault]:
        """Single faults, each with a JSON pointer to where in the request it is."""
        return self.problem.errors
