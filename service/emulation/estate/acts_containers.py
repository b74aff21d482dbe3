"""Acts on containers: runs, other settings, commands and files from outside, new names, silence, removal."""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

from service.emulation.estate import acts_images
from service.emulation.estate.acts_images import pull_on, ran
from service.emulation.estate.cast import Cast, workload_of
from service.emulation.estate.engine import Container, Lease, Spec
from service.emulation.estate.ids import kube_suffix, uuid
from service.emulation.estate.world import Service, World
from service.emulation.steps import Attach, Copy, Exec, Recreate, Remove, Rename, Run, Silence, Update


def run(cast: Cast, now: float, step: Run) -> None:
    _run_once(cast.world, now, cast, step)
    for number in range(1, step.count):
        late = float(cast.rng.uniform(0, min(20.0, step.every / 10)))
        cast.world.at(now + number * step.every + late, _run_once, cast, step)


def _run_once(world: World, now: float, cast: Cast, step: Run) -> None:
    spec = _spec(cast, step)
    if step.refused:
        container = world.engines[cast.host].refuse(spec, now)
        cast.shows(workload_of(container))
        cast.lasts(now + 2)
    else:
        container = cast.leave(spec, now, lives=step.lives)
    ran(cast, container)


def _spec(cast: Cast, step: Run) -> Spec:
    labels, name = _labels(cast, step.labels)
    if step.name == "hiding":
        name = str(cast.world.pick(cast.world.names.hiding))
    elif step.name == "victim":
        name = _next_name(cast)
    elif step.name:
        name = step.name
    return Spec(
        cast.image(step.image), name, _network(cast, step.network), labels, list(step.command), dict(step.env),
        _resolved(cast, _laid_over({}, step.settings)),
    )  # fmt: skip


def _next_name(cast: Cast) -> str:
    service = _victim(cast)
    stem = f"{service.project}-{service.name}" if service.project else service.name
    return f"{stem}-{len(service.containers) + 1}"


def _labels(cast: Cast, kind: str) -> tuple[dict[str, str], str]:
    """Return labels, and the name that a container with them has if it is given none."""
    if kind == "victim":
        return dict(cast.container("victim").spec.labels), ""
    if kind == "ci":
        number = int(cast.rng.integers(1_000, 9_000))
        job = {"com.gitlab.gitlab-runner.job.id": str(100_000 + number), "com.gitlab.gitlab-runner.type": "build"}
        return job, f"ci-job-{number}"
    if kind == "pod":
        pod, identity = f"kube-proxy-{kube_suffix(cast.rng, 5)}", uuid(cast.rng)
        labels = {
            "io.kubernetes.pod.name": pod, "io.kubernetes.pod.namespace": "kube-system",
            "io.kubernetes.pod.uid": identity, "io.kubernetes.container.name": "POD",
            "io.kubernetes.docker.type": "podsandbox",
        }  # fmt: skip
        return labels, f"k8s_POD_{pod}_kube-system_{identity}_0"
    return {}, ""


def _network(cast: Cast, wanted: str) -> str:
    if wanted == "victim":
        return str(_victim(cast).template.network)
    return _joined(cast) if wanted == "container:victim" else wanted


def _joined(cast: Cast) -> str:
    return f"container:{cast.container('victim').id}"


def _resolved(cast: Cast, settings: dict[str, Any]) -> dict[str, Any]:
    return {key: _joined(cast) if value == "container:victim" else value for key, value in settings.items()}


def _laid_over(had: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Lay settings over others: a list adds to a list, anything else takes its place; empty words say nothing."""
    settings = dict(had)
    for key, value in wanted.items():
        if isinstance(value, list) and value:
            settings[key] = [*(had.get(key) or []), *(item for item in value if item != "")] or had.get(key)
        else:
            settings[key] = value
    return settings


def recreate(cast: Cast, now: float, step: Recreate) -> None:
    service = _victim(cast)
    count = {"one": 1, "half": ceil(len(service.containers) / 2), "all": len(service.containers)}[step.replicas]
    chosen, begin = service.containers[:count], now + 1
    if step.pull:
        for number, host in enumerate(sorted({container.host for container in chosen})):
            begin = now + 8 + 6 * number
            cast.world.at(now + 6 * number, _pull_again, cast, host, cast.image(step.image))
    for number, container in enumerate(chosen):
        cast.world.at(begin + 20 * number, _replace, cast, step, container)
    cast.lasts(begin + 20 * count)


def _pull_again(_: World, now: float, cast: Cast, host: str, image: str) -> None:
    pull_on(cast, now, host, image)


def _replace(world: World, now: float, cast: Cast, step: Recreate, container: Container) -> None:
    service = _victim(cast)
    if container not in service.containers:
        return
    spec = container.spec
    spec = spec.but(
        image=spec.image if step.image == "victim" else cast.image(step.image),
        settings=_resolved(cast, _laid_over(spec.settings, step.settings)),
        env={**spec.env, **step.env},
        command=list(step.command) or spec.command,
        network=_network(cast, step.network) if step.network else spec.network,
    )
    place = service.containers.index(container)
    world.retire(service, container, now)
    fresh = world.engines[container.host].run(spec, now + 2)
    service.containers.insert(place, fresh)
    if fresh.lease:
        service.leases.append(fresh.lease)
    ran(cast, fresh)
    cast.shows(service.workload)
    cast.lasts(fresh.started + 1)


def update(cast: Cast, now: float, step: Update) -> None:
    container = cast.container("victim")
    engine = cast.world.engines[container.host]
    container.spec = container.spec.but(settings=_laid_over(container.spec.settings, step.settings))
    engine.of(container, "update", now)
    engine.inspect(container, now + 0.4, running=True)
    cast.shows(workload_of(container))
    cast.lasts(now + 1)


def execute(cast: Cast, now: float, step: Exec) -> None:
    container = cast.container(step.on)
    count = step.count or len(step.commands)
    for number in range(count):
        last = number == count - 1
        cast.world.at(
            now + (number + 0.1 * cast.rng.random()) * step.every, _execute_once, container,
            step.commands[number % len(step.commands)], step.lasting if last else min(step.lasting, 0.2),
        )  # fmt: skip
    cast.shows(workload_of(container))
    cast.lasts(now + count * step.every + step.lasting)


def _execute_once(world: World, now: float, container: Container, command: str, lasting: float) -> None:
    code = int(lasting <= 1 and world.rng.random() < 0.12)
    world.engines[container.host].execute(container, command, now, code, lasting)


def copy(cast: Cast, now: float, step: Copy) -> None:
    container = cast.container(step.on)
    action = "extract-to-dir" if step.direction == "in" else "archive-path"
    cast.world.engines[container.host].of(container, action, now)
    cast.shows(workload_of(container))
    cast.lasts(now + 1)


def attach(cast: Cast, now: float, step: Attach) -> None:
    container = cast.container(step.on)
    world = cast.world
    others = [s for s in world.services if s.template.network not in {container.network, "bridge", "host", "none"}]
    near = [s for s in others if container.host in s.hosts]
    stores = [s for s in near if s.role in {"db", "cache", "queue"}]
    network = world.pick(stores or near or others).template.network
    world.engines[container.host].attach(container, network, now)
    cast.shows(workload_of(container))
    cast.lasts(now + 1)
    cast.notes.append(f"joined {network}")


def rename(cast: Cast, now: float, step: Rename) -> None:
    container = cast.container(step.on)
    cast.shows(workload_of(container))
    before, container.name = container.name, step.name
    container.spec = container.spec.but(name=container.spec.name or before)
    cast.world.engines[container.host].of(container, "rename", now, oldName=f"/{before}")
    cast.lasts(now + 1)


def silence(cast: Cast, now: float, step: Silence) -> None:
    """Silence the victim's containers on the machine."""
    service = _victim(cast)
    for container in [c for c in service.containers if c.host == cast.host]:
        if step.how == "stop":
            cast.world.engines[container.host].die(container, now + 1, 137, stopped=True)
            service.containers.remove(container)
        else:
            if step.how == "pause":
                cast.world.engines[container.host].of(container, "pause", now)
            if container.lease:
                container.lease.end = now
        if step.lasting:
            cast.world.at(now + step.lasting, _heard_again, cast, container, step.how)
    cast.shows(service.workload)
    cast.lasts(now + max(step.lasting, 600.0))


def _heard_again(world: World, now: float, cast: Cast, container: Container, how: str) -> None:
    service, engine = _victim(cast), world.engines[container.host]
    if how == "stop":
        engine.start(container, now)
        service.containers.append(container)
    else:
        if how == "pause":
            engine.of(container, "unpause", now)
        container.lease = Lease(container.address, now)
    if container.lease:
        service.leases.append(container.lease)
    cast.lasts(now + 1)


def remove(cast: Cast, now: float, step: Remove) -> None:
    container = cast.container(step.on)
    engine = cast.world.engines[container.host]
    cast.shows(workload_of(container))
    engine.of(container, "kill", now, signal="9")
    engine.die(container, now + 0.2, 137)
    engine.remove(container, now + 0.4)
    container.pid = 0
    if cast.victim is not None and container in cast.victim.containers:
        cast.victim.containers.remove(container)
    if step.image:
        for action, delay in (("untag", 1.0), ("delete", 1.1)):
            engine.emit("image", action, container.digest, {"name": container.digest}, now + delay)
        cast.shows(f"host:{container.host}")
    cast.lasts(now + 2)


def _victim(cast: Cast) -> Service:
    if cast.victim is None:
        raise LookupError(f"{cast.scenario.id} has no service as its victim")
    return cast.victim


ACTS: dict[type, Callable[[Cast, float, Any], None]] = acts_images.ACTS | {
    Run: run, Recreate: recreate, Update: update, Exec: execute, Copy: copy, Attach: attach, Rename: rename,
    Silence: silence, Remove: remove,
}  # fmt: skip
