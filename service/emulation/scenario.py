"""Reads the scenario library, and fits a scenario's parameters to a variant."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec

from service.emulation.steps import AnyStep

Variant = Literal["low", "middle", "high", "dampened"]
VARIANTS: tuple[Variant, ...] = ("low", "middle", "high", "dampened")
Scalar = str | float | int | bool


class ScenarioError(ValueError):
    """A scenario cannot be read; the message names the file and what is wrong in it."""


class Victim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who suffers: `kind` service, pod, actor or host; of the first of `roles` that there is."""

    kind: Literal["service", "pod", "actor", "host"] = "service"
    roles: tuple[str, ...] = ()
    replicated: bool = False


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A destination outside.

    `kind` is stranger (an adversary's own name), plausible (one that looks like a vendor's), bare (an address without a
    name), saas (a known service new to the victim), own (one the victim uses), bucket (the operator's backups),
    lookalike (of the bucket).
    """

    kind: str = "stranger"
    port: int = 443


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a chain: another scenario, or in a benign chain a lookalike, and when it begins, in seconds.

    `on` is victim, foothold (what would happen to the scenario's victim happens to the container that an earlier stage
    left), replicas (to each container of the victim) or other (to another workload); `parameters` are the chain's own
    values for parameters of the scenario.
    """

    scenario: str = ""
    lookalike: str = ""
    at: float = 0.0
    on: Literal["victim", "foothold", "replicas", "other"] = "victim"
    parameters: dict[str, Scalar] = {}


class Levels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter's values from quiet to loud, and what a careful adversary would choose (none: as low)."""

    low: Scalar
    middle: Scalar
    high: Scalar
    dampened: Scalar | None = None

    def value(self, variant: Variant) -> Scalar:
        """Return the value of a variant."""
        if variant == "dampened" and self.dampened is None:
            return self.low
        chosen: Scalar = getattr(self, variant)
        return chosen


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scenario as its file declares it.

    Parameters
    ----------
    id, name, summary
        Identifier as in the catalogue, a title, and what is emulated, in a sentence or two.
    techniques
        ATT&CK ids, the leading one first.
    families
        Feature families in which evidence is expected.
    reasons
        Features of which one should be the first reason.
    lookalikes
        Benign behaviour that it resembles, B1 to B23.
    live
        Whether a real engine can show it.
    blind
        Why it cannot be seen at all, where it leaves no telemetry that any source here reads; empty otherwise.
    benign
        Whether it must stay low.
    victim, sites, parameters, steps
        What happens to whom; a value "$name" in a step stands for a parameter.
    stages
        For a chain: its parts, which share victim, foothold and sites.
    """

    id: str
    name: str
    summary: str
    techniques: tuple[str, ...]
    families: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    lookalikes: tuple[str, ...] = ()
    live: bool = False
    blind: str = ""
    benign: bool = False
    victim: Victim = Victim()
    sites: dict[str, dict[str, Any]] = {}
    parameters: dict[str, Levels] = {}
    steps: tuple[dict[str, Any], ...] = ()
    stages: tuple[Stage, ...] = ()

    def played(self, variant: Variant, draw: Callable[[str, Scalar], Scalar] | None = None) -> tuple[AnyStep, ...]:
        """Return the steps of a variant with every parameter put in.

        Parameters
        ----------
        variant
            How loud.
        draw
            Changes a parameter's value; given its name and the variant's value. None: values stay.

        Raises
        ------
        ScenarioError
            If a step names an unknown parameter, has an unknown field, or a value of the wrong kind.
        """
        chosen = {name: levels.value(variant) for name, levels in self.parameters.items()}
        values = chosen if draw is None else {name: draw(name, value) for name, value in chosen.items()}
        played = []
        for number, step in enumerate(self.steps, 1):
            try:
                made = msgspec.convert(_filled(step, values), type=AnyStep, strict=False)
            except (KeyError, msgspec.ValidationError) as error:
                raise ScenarioError(f"{self.id}: step {number} ({step.get('do')}): {error}") from error
            if variant in made.only:
                played.append(made)
        return tuple(played)

    def places(self, variant: Variant) -> dict[str, Site]:
        """Return the sites of a variant by name, every parameter put in.

        Raises
        ------
        ScenarioError
            If a site names an unknown parameter, has an unknown field, or a value of the wrong kind.
        """
        values = {name: levels.value(variant) for name, levels in self.parameters.items()}
        try:
            return {
                name: msgspec.convert(_filled(site, values), type=Site, strict=False)
                for name, site in self.sites.items()
            }
        except (KeyError, msgspec.ValidationError) as error:
            raise ScenarioError(f"{self.id}: sites: {error}") from error


def _filled(value: Any, parameters: Mapping[str, Scalar]) -> Any:  # noqa: ANN401 -- TOML values of any kind
    if isinstance(value, str) and re.fullmatch(r"\$\w+", value):
        return parameters[value[1:]]
    if isinstance(value, dict):
        return {key: _filled(item, parameters) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(item, parameters) for item in value]
    return value


@cache
def library() -> dict[str, Scenario]:
    """Return every scenario by id, in the order of their ids.

    Raises
    ------
    ScenarioError
        If a file cannot be read as a scenario, or is not named after its id.
    """
    found = {}
    folder = files("service.emulation") / "scenarios"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        try:
            scenario = msgspec.toml.decode(file.read_bytes(), type=Scenario)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise ScenarioError(f"{file.name}: {error}") from error
        if file.name != f"{scenario.id}.toml":
            raise ScenarioError(f"{file.name} describes {scenario.id} (name the file {scenario.id}.toml)")
        for variant in VARIANTS:
            scenario.played(variant)
            scenario.places(variant)
        found[scenario.id] = scenario
    return found
