"""How a job tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Takes the step at work and the share of it that is done, 0 to 1."""


def silent(step: str, done: float) -> None:
    """Tell nobody."""
    del step, done
