"""Who is who while a plan is made: the stand-ins, the sinks that play the world outside, and the actions so far."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.emulation.live import scripts
from service.emulation.live.actions import LABEL, Action, Call, LiveError, Plan
from service.emulation.live.pace import Pace
from service.emulation.live.sinks import FIRST, Sink
from service.emulation.steps import AnyStep, Build, Lookups

SCRIPTS = "/emulation"
LOCAL = "emulation.invalid"
"""Stands for a registry where there is none: a name that can never resolve."""
SINK = f"{LOCAL}/sink:1"
SPARE = 300.0
"""Seconds after which an abandoned container ends by itself, beyond the emulation's own."""


@dataclass(frozen=True)
class Options:
    """What the operator allows and the host can do.

    Parameters
    ----------
    minutes, faster
        See `Pace`.
    privileged
        Start privileged containers, too.
    image
        Image of the host to use in place of the local busybox.
    registry
        A free port of loopback for a registry, 0: there is none.
    block
        Which eighth of 198.51.100.0/24 plays the world outside.
    root
        Whether the emulation may enter its own containers' network namespaces, to answer DNS there.
    tls
        Whether there is an openssl for the images.
    """

    minutes: float = 10.0
    faster: float = 1.0
    privileged: bool = False
    image: str = ""
    registry: int = 0
    block: int = 0
    root: bool = False
    tls: bool = False


@dataclass
class Holder:
    """A container that speaks: since when, by which script; `sharp`: commands are echoed; `held`: it never starts."""

    name: str
    image: str
    began: float
    network: str
    script: str
    sharp: bool = False
    held: bool = False
    parts: list[str] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=dict)


class Stage:
    """A plan in the making; acts add to it.

    Parameters
    ----------
    plan
        Gets the actions.
    steps
        All the steps to play, for acts that must look ahead.
    options
        What is allowed.
    folder
        Where the run's folder goes.
    """

    def __init__(self, plan: Plan, steps: tuple[AnyStep, ...], options: Options, folder: Path) -> None:
        self.plan = plan
        self.steps = steps
        self.options = options
        self.folder = folder
        self.pace = Pace(steps, options.minutes, options.faster)
        self.role = next(iter(plan.scenario.victim.roles), "web")
        self.project = f"emulation-{plan.run}"
        self.holders: dict[str, Holder] = {}
        self.everyone: list[Holder] = []
        self.stand_in: Holder | None = None
        self.made = ""
        places = plan.scenario.places(plan.variant)
        self.sinks = {
            name: Sink.of(plan.run, name, site, number, options.block)
            for number, (name, site) in enumerate(places.items(), FIRST)
        }
        self.peers: dict[str, Sink] = {}
        commands = " ".join(command for step in steps if isinstance(step, Build) for command in step.commands)
        named = {step.to for step in steps if hasattr(step, "to")} | {
            "internal" for step in steps if type(step).__name__ in {"Contact", "Attach"}
        }
        named |= {name for name in self.sinks if f"http://{name}/" in commands}
        self.outside = f"wharfinger-{plan.run}-outside" if named & self.sinks.keys() else ""
        self.inside = f"wharfinger-{plan.run}-inside" if not self.outside or "internal" in named else ""
        self.lasted = 0.0
        asking = any(isinstance(step, Lookups) or getattr(step, "look_ups", False) for step in steps)
        self.resolver = ""
        if self.outside and asking and options.root:
            self.plan.resolver = f"wharfinger-{plan.run}-resolver"
            self.resolver = f"198.51.100.{options.block * 32 + 14}"
            self.plan.zone |= {sink.name: sink.address for sink in self.sinks.values() if sink.name}

    @property
    def network(self) -> str:
        """The network that stand-ins are created in."""
        return self.inside or self.outside

    def peer(self, role: str, port: int, kind: str, received: float, uri: str) -> str:
        """Let a container play one inside that the victim never spoke with, and return its name."""
        name = f"wharfinger-{self.plan.run}-{role}"
        sink = self.peers.setdefault(role, Sink(name, name, name, port))
        sink.at(kind, port, received, uri if kind == "http" else "")
        return name

    def note(self, text: str) -> None:
        """Say once what is replaced, shortened or left out."""
        if text not in self.plan.notes:
            self.plan.notes.append(text)

    def until(self, moment: float) -> None:
        """Let the emulation run at least until a moment."""
        self.lasted = max(self.lasted, min(moment, self.pace.budget))

    def act(self, at: float, words: str, *calls: Call, leaves: str = "", name: str = "", tag: str = "") -> None:
        """Add an action at a second of the emulation."""
        self.plan.actions.append(Action(at, words, calls, leaves, name, tag))
        self.until(at + 1.0)

    def set_up(self, words: str, *calls: Call, leaves: str = "", name: str = "", tag: str = "") -> None:
        """Add an action that comes before the scenario."""
        self.plan.setting.append(Action(0.0, words, calls, leaves, name, tag))

    def reference(self, image: str) -> str:
        """Return the name under which an image is made here: the scenario's, in the emulation's own registry."""
        if image in {"", "victim"}:
            image = f"shop/{self.role}:1.0.4"
        first, _, rest = image.partition("/")
        registry = "." in first or ":" in first or first == "localhost" or first in self.sinks
        path = rest if rest and registry else image
        path = path.split("@", 1)[0]
        path = path if ":" in path.rsplit("/", 1)[-1] else f"{path}:latest"
        where = f"127.0.0.1:{self.options.registry}" if self.options.registry else LOCAL
        return f"{where}/{path if '/' in path else f'library/{path}'}"

    def provide(self, image: str, *, pushed: bool) -> str:
        """Make sure that an image is there before the scenario begins, on the host or only in the registry."""
        reference = SINK if image == SINK else self.reference(image)
        if reference in self.plan.images:
            return reference
        self.plan.images.append(reference)
        for words, call in importing(self.plan, reference):
            self.set_up(words, call, leaves="image import (or build) event, an image", tag=reference)
        if self.options.registry and reference != SINK:
            self.set_up(f"push {reference}", push(reference), leaves="image push event, a copy in the run's registry")
            if pushed:
                self.set_up(f"remove {reference} from the host", removed(reference), leaves="untag and delete events")
        return reference

    def body(self, image: str, command: tuple[str, ...], network: str) -> dict[str, Any]:
        """Return the create call's body that all containers of the run share."""
        aliases: dict[str, Any] | None = (
            {network: {}} if network not in {"none", "host"} and ":" not in network else None
        )
        return {
            "Image": image, "Cmd": list(command), "Labels": {LABEL: self.plan.run},
            "HostConfig": {"NetworkMode": network},
            **({"NetworkingConfig": {"EndpointsConfig": aliases}} if aliases else {}),
        }  # fmt: skip

    def hold(self, who: str, holder: Holder) -> None:
        """Let a container be the victim or the foothold from now on."""
        self.holders[who] = holder
        self.everyone.append(holder)

    def holder(self, who: str) -> Holder:
        """Return the container that someone stands for now.

        Raises
        ------
        LiveError
            If nobody is there.
        """
        found = self.holders.get(who) or (self.holders.get("victim") if who == "foothold" else None)
        if found is None:
            raise LiveError(f"{self.plan.scenario.id}: nobody is there as {who}")
        return found

    def script(self, name: str) -> str:
        """Return the path of a new container's script in its image."""
        return f"{SCRIPTS}/{name}.{len(self.everyone)}.sh"

    def speak(self, who: str, at: float, words: str, script: str) -> None:
        """Let a container do something over the network from a moment of the scenario on."""
        holder = self.holder(who)
        if holder.network in {"none", "host"}:
            self.note(f"{words}: left out, since the container shares the network of the host, or has none")
            return
        if holder.held:
            self.note(f"{words}: left out, since the container is not started")
            return
        begin = max(self.pace.when(at) - holder.began, 0.0)
        holder.parts.append(scripts.wrapped(words, begin, script))
        self.plan.actions.append(Action(self.pace.when(at), f"{holder.name}: {words}", (), "connections"))

    def random(self, what: str) -> bytes:
        """Return bytes that are the same for the same run."""
        return b"".join(hashlib.sha512(f"{self.plan.run} {what} {part}".encode()).digest() for part in range(2))


def importing(plan: Plan, reference: str, note: str = "") -> list[tuple[str, Call]]:
    """Return how an image of the run is made: from the local busybox, or on an image that the host has."""
    repository, _, tag = reference.rpartition(":")
    if plan.base:
        target = f"/build?version=1&t={reference}&networkmode=none&pull=0&q=0&rm=1&forcerm=1"
        return [(f"build {reference} on the host's {plan.base}", Call("POST", target, image=f"{reference}{note}"))]
    target = f"/images/create?fromSrc=-&repo={repository}&tag={tag}&changes=LABEL%20{LABEL}%3D{plan.run}"
    return [(f"import {reference} from a tar with busybox", Call("POST", target, image=f"{reference}{note}"))]


def push(reference: str) -> Call:
    """Return the call that pushes an image to the run's registry."""
    repository, _, tag = reference.rpartition(":")
    return Call("POST", f"/images/{repository}/push?tag={tag}", image="", may_fail=False, body={})


def removed(reference: str) -> Call:
    """Return the call that removes one tag, and the image with its last tag."""
    return Call("DELETE", f"/images/{reference}?noprune=1")


def environment(values: Mapping[str, str]) -> list[str]:
    """Write an environment as the engine takes it."""
    return [f"{key}={value}" for key, value in values.items()]
