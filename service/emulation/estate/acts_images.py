"""Acts on images: pulls, what a registry sees, builds on a host, and images that no registry saw."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from service.emulation.estate.cast import Cast, workload_of
from service.emulation.estate.engine import Container
from service.emulation.estate.ids import digest
from service.emulation.estate.registry import HOST
from service.emulation.estate.wire import Shape, client
from service.emulation.estate.world import World
from service.emulation.steps import Build, Image, Pull, Registry

# Docker pulls at most this long before it tells of it (world.pull), and a pull is taken to be for the container that
# is created from the image within a quarter of an hour.
_TRANSFER = 16.0
_PULL_TO_RUN = 900.0
_APT = client("Debian APT-HTTP/1.3 (2.6.1)")
_PUSHER = "skopeo/1.13.3"
_SITE = re.compile(r"https?://(\w+)/")


def pull(cast: Cast, now: float, step: Pull) -> None:
    image = cast.image(step.image)
    for number in range(step.count):
        cast.world.at(now + number * step.every, _pull_once, cast, cast.host, image)
    cast.lasts(now + (step.count - 1) * step.every + 1)


def _pull_once(_: World, now: float, cast: Cast, host: str, image: str) -> None:
    pull_on(cast, now, host, image)


def pull_on(cast: Cast, now: float, host: str, image: str) -> None:
    """Pull on a host; whoever runs the image soon shows it, otherwise the host, and in any case the host's address."""
    world = cast.world
    world.pull(host, image, now)
    cast.began(now - _TRANSFER)
    cast.lasts(now + 1)
    cast.pulled[host, image] = now
    world.at(now + _PULL_TO_RUN, _settled, cast, (host, image), now)


def ran(cast: Cast, container: Container) -> None:
    """Note that a container was created, and that it was what its image was pulled for."""
    cast.pulled.pop((container.host, container.spec.image), None)


def _settled(world: World, _: float, cast: Cast, key: tuple[str, str], pulled: float) -> None:
    if cast.pulled.get(key) == pulled:
        cast.shows(f"host:{key[0]}")
    cast.shows(f"ip:{world.engines[key[0]].address}")


def registry(cast: Cast, now: float, step: Registry) -> None:
    address, agent = _speaker(cast, step)
    if step.action == "push":
        _push(cast, now, cast.image(step.image), address, agent)
        return
    ts = now + np.arange(step.count) * step.every
    for moment, reference in zip(ts.tolist(), _unread(cast, step.count), strict=True):
        cast.world.registry.notify("pull", *_parts(reference), moment + 0.3, address=address, agent=agent)
    sizes = Shape(900, 3_500, 0.1).draw(cast.rng, step.count)
    cast.world.wire.to_site(ts, address, cast.world.outside.registries[HOST], client(agent), sizes)
    cast.shows(f"ip:{address}")
    cast.began(now - 0.1)
    cast.lasts(float(ts[-1]) + 1)


def _push(cast: Cast, now: float, reference: str, address: str, agent: str) -> None:
    cast.made = cast.world.new_tag(*_parts(reference), now, address=address, agent=agent)
    sizes = (int(cast.rng.lognormal(16, 1)), 3_000, 2.0)
    cast.world.wire.to_site(
        np.array([now - 2.0]), address, cast.world.outside.registries[HOST], client(agent), sizes, look_ups=1.0
    )
    cast.shows(f"ip:{address}")
    cast.began(now - 2.1)
    cast.lasts(now + 1)


def _speaker(cast: Cast, step: Registry) -> tuple[str, str]:
    world = cast.world
    if step.source == "outside":
        return f"10.8.0.{cast.rng.integers(20, 240)}", step.agent or _PUSHER
    runners = world.role("ci-runner")
    host = runners[0].hosts[0] if step.source == "ci" and runners else cast.host
    return world.engines[host].address, step.agent or world.registry.engine_agent


def _unread(cast: Cast, count: int) -> list[str]:
    """List images of the own registry, those first that the machine does not run."""
    here = {s.image for s in cast.world.services if cast.host in s.hosts}
    images = {s.image for s in cast.world.services}
    own = sorted({i for i in images if i.startswith(HOST)} or images, key=lambda i: (i in here, i))
    return [own[number % len(own)] for number in range(count)]


def _parts(reference: str) -> tuple[str, str]:
    repository, _, tag = reference.rpartition(":")
    return (repository, tag) if repository and "/" not in tag else (reference, "latest")


def build(cast: Cast, now: float, step: Build) -> None:
    """Build on the machine; a command that fetches from a site's name does so from the step's own container."""
    engine, base = cast.world.engines[cast.host], cast.image(step.base)
    if base not in engine.local:
        pull_on(cast, now, cast.host, base)
    tag = cast.image(step.image)
    commands = [_SITE.sub(lambda found: _url(cast, found[1]), command) for command in step.commands]
    done, made = engine.build(tag, base, commands, now + 1, network="bridge")
    cast.made = engine.local[tag]
    for container, command in zip(made, step.commands, strict=True):
        cast.shows(workload_of(container))
        _fetch(cast, container, command)
        cast.foothold = container
    cast.shows(f"host:{cast.host}")
    cast.lasts(done + 1)


def _url(cast: Cast, name: str) -> str:
    return f"http://{cast.sites[name].name}/"


def _fetch(cast: Cast, container: Container, command: str) -> None:
    ts, wire = np.array([container.started + 0.4]), cast.world.wire
    for name in _SITE.findall(command):
        size = int(np.exp(cast.rng.uniform(np.log(2e4), np.log(2e7))))
        who = cast.client("curl")
        wire.to_site(ts, container.address, cast.sites[name], who, (300, size, 1.2), uri="/a", look_ups=1.0)
    if "apt-get" in command:
        sizes = (900, int(cast.rng.lognormal(14.5, 0.8)), 1.4)
        wire.to_site(ts, container.address, cast.world.outside.debian, _APT, sizes)


def image(cast: Cast, now: float, step: Image) -> None:
    reference = cast.image(step.image)
    engine = cast.world.engines[cast.host]
    if step.action == "commit":
        _commit(cast, now, reference)
    elif step.action == "push":
        engine.emit("image", "push", reference, {"name": _parts(reference)[0]}, now)
        cast.shows(f"host:{cast.host}")
        _push(cast, now - 0.4, reference, engine.address, cast.world.registry.engine_agent)
    else:
        # `tag` names once more what the scenario made; loading and importing bring other content
        made = cast.made if step.action == "tag" and cast.made else digest(cast.rng)
        cast.made = engine.local[reference] = made
        name = reference if step.action == "tag" else made
        if step.action == "import":
            engine.emit("image", "tag", made, {"name": reference}, now - 0.05)
            cast.began(now - 1)
        engine.emit("image", step.action, made, {"name": name}, now)
        cast.shows(f"host:{cast.host}")
    cast.lasts(now + 1)


def _commit(cast: Cast, now: float, reference: str) -> None:
    container = cast.container("victim")
    engine = cast.world.engines[container.host]
    cast.made = engine.local[reference] = digest(cast.rng)
    engine.of(container, "pause", now)
    engine.emit("image", "tag", cast.made, {"name": reference}, now + 0.06)
    engine.of(container, "commit", now + 0.061, comment="", imageID=cast.made, imageRef=reference)
    engine.of(container, "unpause", now + 0.07)
    cast.shows(workload_of(container), f"host:{container.host}")


ACTS: dict[type, Callable[[Cast, float, Any], None]] = {Pull: pull, Registry: registry, Build: build, Image: image}
