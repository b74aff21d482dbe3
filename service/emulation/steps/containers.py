"""What happens to images and containers, as the Docker Engine and a registry tell of it.

An image whose registry is the name of a site of the scenario comes from that site; `victim` is the victim's own.
Settings and environment are HostConfig and Env as the engine's API names them: a list adds to a list that was there,
anything else takes its place, and an empty word in a list says nothing.
"""

from typing import Any

import msgspec

from service.emulation.steps.step import Step


class Pull(Step, frozen=True, kw_only=True, tag="pull"):
    """The host pulls an image."""

    image: str
    count: int = 1
    every: float = 60.0


class Registry(Step, frozen=True, kw_only=True, tag="registry"):
    """Someone speaks with the operator's own registry.

    `action` is push (other content under the victim's tag, or under `image`), or read (repositories nobody here reads).
    `source` is ci, host or outside.
    """

    action: str
    image: str = "victim"
    agent: str = ""
    source: str = "outside"
    count: int = 1
    every: float = 60.0


class Run(Step, frozen=True, kw_only=True, tag="run"):
    """A container is created and started, `count` times; `refused`: created, but its start fails.

    `image` and `name` may be `victim` (the same as the victim's) or `hiding` (a name like a system service's);
    `network` bridge, victim, host, none or container:victim; `lives` seconds, 0: it stays; `labels` may be ci (as
    a CI job's), victim or none.
    """

    image: str
    name: str = ""
    command: tuple[str, ...] = ()
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    env: dict[str, str] = msgspec.field(default_factory=dict)
    labels: str = "none"
    network: str = "bridge"
    lives: float = 0.0
    refused: bool = False
    count: int = 1
    every: float = 3600.0


class Recreate(Step, frozen=True, kw_only=True, tag="recreate"):
    """The victim's containers are replaced under the same name; `settings` and `env` are laid over what they had.

    `replicas` is one, half or all; `pull`: the image is pulled again first (after a push: other content).
    """

    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    env: dict[str, str] = msgspec.field(default_factory=dict)
    command: tuple[str, ...] = ()
    image: str = "victim"
    network: str = ""
    pull: bool = False
    replicas: str = "one"


class Update(Step, frozen=True, kw_only=True, tag="update"):
    """Resources or restart policy are changed in place."""

    settings: dict[str, Any]


class Exec(Step, frozen=True, kw_only=True, tag="exec"):
    """Commands run in a container from outside, `every` seconds; `lasting`: the last one does not end so soon.

    With `count` so many, the commands in turn; 0: each once.
    """

    commands: tuple[str, ...]
    on: str = "victim"
    every: float = 1.0
    count: int = 0
    lasting: float = 0.2


class Copy(Step, frozen=True, kw_only=True, tag="copy"):
    """Files are copied into a container, or out of it."""

    on: str = "victim"
    direction: str = "in"


class Attach(Step, frozen=True, kw_only=True, tag="attach"):
    """A container joins a second network, that of another project."""

    on: str = "victim"


class Build(Step, frozen=True, kw_only=True, tag="build"):
    """An image is built on the host by the legacy builder, step by step; the tag is `image`.

    A command that names `http://SITE/` fetches from that site of the scenario.
    """

    image: str
    base: str
    commands: tuple[str, ...] = ()


class Image(Step, frozen=True, kw_only=True, tag="image"):
    """Images change without a registry.

    `action` is load, import, commit (the victim's container), tag (what the scenario made last, or other content) or
    push; `image` the name, or victim.
    """

    action: str
    image: str = "victim"


class Rename(Step, frozen=True, kw_only=True, tag="rename"):
    """A running container takes another name."""

    name: str
    on: str = "foothold"


class Silence(Step, frozen=True, kw_only=True, tag="silence"):
    """The victim's containers on the machine stop, pause, or lose what they send; `lasting` 0: they do not come back.

    `how` is stop, pause or drop.
    """

    how: str = "stop"
    lasting: float = 0.0


class Remove(Step, frozen=True, kw_only=True, tag="remove"):
    """A container is removed by force, and with `image` its image too."""

    on: str = "foothold"
    image: bool = False
