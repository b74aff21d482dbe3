"""A plan: what will be done on the host, call by call, what each leaves behind, and how it is cleaned."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.emulation.scenario import Scenario, Variant

LABEL = "io.wharfinger.emulation"
FOLDERS = "wharfinger-emulation-"
"""How the folders for replaced binds and for the registry are called; the run's id follows."""


class LiveError(Exception):
    """An emulation cannot be played, or was not; the message is one line and says why."""


@dataclass(frozen=True)
class Call:
    """One request to the engine.

    Parameters
    ----------
    method, target
        As in the Engine API; `{id}` in the target stands for the `Id` of the answer before.
    body
        JSON, or the bytes of a tar.
    image
        Reference of an image of the run whose tar is the body.
    hold
        Seconds for which the connection stays open, as a person's session would.
    timeout
        Seconds to wait for the answer.
    may_fail
        Whether a refusal is part of what is shown.
    """

    method: str
    target: str
    body: Mapping[str, Any] | bytes | None = None
    image: str = ""
    hold: float = 0.0
    timeout: float = 60.0
    may_fail: bool = False

    def __str__(self) -> str:
        """Write the call as it will be made; a tar as its size."""
        if self.image:
            return f"{self.method} {self.target} <tar of {self.image}>"
        if isinstance(self.body, bytes):
            return f"{self.method} {self.target} <tar, {len(self.body)} bytes>"
        return f"{self.method} {self.target}" + (f" {_compact(self.body)}" if self.body else "")


@dataclass(frozen=True)
class Action:
    """What is done at one moment: in words, as calls, and what it leaves until it is cleaned.

    `name` is the container and `tag` the image that it makes, if it makes one.
    """

    at: float
    words: str
    calls: tuple[Call, ...] = ()
    leaves: str = ""
    name: str = ""
    tag: str = ""


@dataclass
class Plan:
    """All that an emulation will do.

    Parameters
    ----------
    run
        The run's id, the value of the label on all that it makes.
    setting
        What is made before the scenario begins: networks, images, stand-ins.
    actions
        The scenario's own acts by time, in seconds after it begins.
    seconds
        How long the scenario runs.
    notes
        What is replaced, shortened or left out.
    files
        By path: text files that every image of the run holds.
    images
        References that are made from the local tar.
    folders
        Folders that stand in for the host's.
    resolver
        Container in whose network namespace DNS is answered, none: nowhere.
    zone
        By name, or by `*.` and a zone: the address that is answered, or text, random or none.
    registry
        Port of the registry on loopback, 0: none.
    folder
        Where replaced binds and the registry's storage lie.
    tls
        Whether the images hold a TLS client.
    base
        An image of the host to build on, none: the local busybox.
    """

    run: str
    scenario: Scenario
    variant: Variant
    setting: list[Action] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    resolver: str = ""
    zone: dict[str, str] = field(default_factory=dict)
    registry: int = 0
    folder: Path = Path()
    tls: bool = False
    base: str = ""


def _compact(body: object) -> str:
    if isinstance(body, Mapping):
        return (
            "{" + ", ".join(f"{key}: {_compact(value)}" for key, value in body.items() if value not in ({}, None)) + "}"
        )
    if isinstance(body, list | tuple):
        return "[" + ", ".join(map(_compact, body)) + "]"
    return shlex.quote(body) if isinstance(body, str) else str(body)
