"""Varies the numbers of a scenario from estate to estate, as far as the split allows."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from service.emulation.scenario import Scalar, Scenario

_FIXED = {"port", "ports", "code"}
_TIMES = {"at", "every", "lasting", "lives", "period", "seconds", "count"}
_LONGEST_LABEL = 60
_LARGEST_SHARE = 0.95


class Variation:
    """Multiplies a scenario's numbers by factors that are even on the log scale.

    Parameters
    ----------
    scenarios
        The scenario, or a chain with the scenarios it is made of.
    spread
        Factors lie between 1/spread and spread. Flags, ports, status codes and counts below two stay.
    rng
        Each parameter has one factor, drawn at once: asked again, a parameter has the same value.
    """

    def __init__(self, scenarios: Iterable[Scenario], spread: float, rng: np.random.Generator) -> None:
        self._fields: dict[str, set[str]] = {}
        for scenario in scenarios:
            for name in scenario.parameters:
                self._fields.setdefault(name, set())
            for step in scenario.steps:
                for field, name in _mentions(step):
                    self._fields.setdefault(name, set()).add(field)
            for site in scenario.sites.values():
                for _, name in _mentions(site):
                    self._fields.setdefault(name, set()).add("port")
        bound = float(np.log(spread))
        self._factors = {
            name: 1.0 if fields & _FIXED else float(np.exp(rng.uniform(-bound, bound)))
            for name, fields in self._fields.items()
        }

    def keep_times(self) -> None:
        """Leave times, and how often something is done, as the scenario has them."""
        self._factors |= {name: 1.0 for name, fields in self._fields.items() if fields & _TIMES}

    def __call__(self, name: str, value: Scalar) -> Scalar:
        """Return the value that a parameter has here."""
        factor, fields = self._factors[name], self._fields[name]
        if isinstance(value, bool | str) or factor == 1.0:
            return value
        if isinstance(value, int):
            varied = value if value < 2 else max(2, round(value * factor))
            return min(varied, max(value, _LONGEST_LABEL)) if "length" in fields else varied
        return min(value * factor, _LARGEST_SHARE) if 0 < value < 1 else value * factor


def _mentions(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """List which parameter is mentioned in which field."""
    for field, value in fields.items():
        for name in re.findall(r"\$(\w+)", str(value)):
            yield field, name
