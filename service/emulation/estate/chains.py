"""Plays a chain: its stages are scenarios, or benign acts, that share people and places and follow one another."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from msgspec import structs

from service.emulation.estate.cast import Cast
from service.emulation.estate.jobs import backup
from service.emulation.estate.operators import incident_response
from service.emulation.estate.play import begin, choose, duration
from service.emulation.estate.releases import release
from service.emulation.estate.sink import DAY
from service.emulation.estate.wire import Site
from service.emulation.estate.world import HOUR, MINUTE, Service, World
from service.emulation.scenario import Scalar, Scenario, ScenarioError, Stage, Variant, library
from service.emulation.steps import AnyStep, Pull, Run

Steps = tuple[AnyStep, ...]
Drawing = Callable[[str, Scalar], Scalar] | None
_BEAT = 300.0


def play_chain(world: World, now: float, scenario: Scenario, variant: Variant, draw: Drawing = None) -> Cast:
    """Begin a chain; once all has been performed, `labels` of the cast are the chain's own and one for each scenario.

    Stages begin when they say, sooner where the estate would end before they do. Benign acts get the labels of
    lookalikes, as always.

    Raises
    ------
    LookupError
        If the estate has nobody who could be the victim.
    ScenarioError
        If a stage names a scenario or a lookalike that there is not.
    """
    stages = [(stage, _steps(scenario, stage, variant, draw)) for stage in scenario.stages]
    lasting = _lasting(stages)
    pace = min(1.0, max(0.0, world.options.end - now - HOUR) / lasting)
    cast = Cast(world, scenario, variant, now)
    choose(cast, pace * lasting)
    first = min((stage.at for stage in scenario.stages if stage.on == "foothold"), default=0.0)
    for stage, steps in stages:
        paced = tuple(structs.replace(step, at=pace * step.at) for step in steps)
        world.at(now + pace * stage.at, _stage, cast, stage, paced, pace * (stage.at - first))
    return cast


def span(scenario: Scenario, variant: Variant, draw: Drawing = None) -> float:
    """Return how many seconds a chain takes if nothing hurries it."""
    return _lasting([(stage, _steps(scenario, stage, variant, draw)) for stage in scenario.stages])


def _lasting(stages: list[tuple[Stage, Steps]]) -> float:
    return max(stage.at + max([HOUR, *(step.at + duration(step) for step in steps)]) for stage, steps in stages)


def _steps(chain: Scenario, stage: Stage, variant: Variant, draw: Drawing) -> Steps:
    if stage.lookalike:
        if stage.lookalike not in _BENIGN:
            raise ScenarioError(f"{chain.id}: nothing plays the lookalike {stage.lookalike}")
        return ()
    if stage.scenario not in library():
        raise ScenarioError(f"{chain.id}: there is no scenario {stage.scenario}")

    def drawn(name: str, value: Scalar) -> Scalar:
        value = stage.parameters.get(name, value)
        return draw(name, value) if draw else value

    steps = library()[stage.scenario].played(variant, drawn)
    if stage.on != "foothold":
        return steps
    # whoever has a foothold needs no other
    return tuple(
        structs.replace(step, on="foothold") if getattr(step, "on", "") == "victim" else step
        for step in steps
        if not isinstance(step, Pull | Run)
    )


def _stage(world: World, now: float, chain: Cast, stage: Stage, steps: Steps, after: float) -> None:
    """Begin a stage; one on the foothold not before there is one, and then as long `after` as the chain wants it."""
    if stage.lookalike:
        _BENIGN[stage.lookalike](chain, now)
        return
    foothold = next((part.foothold for part in reversed(chain.parts) if part.foothold), None)
    if stage.on == "foothold" and (foothold is None or foothold.started + after > now):
        again = now + MINUTE if foothold is None else foothold.started + after + 1
        world.at(again, _stage, chain, stage, steps, after)
        return
    part = Cast(
        world, library()[stage.scenario], chain.variant, now, victim=chain.victim, host=chain.host, foothold=foothold,
        known=chain.known, within=chain,
    )  # fmt: skip
    chain.parts.append(part)
    if stage.on == "other":
        part.known, part.foothold = {}, None
        choose(part, max((step.at + duration(step) for step in steps), default=0.0))
    for each in _places(part, stage):
        begin(each, now, steps)


def _places(part: Cast, stage: Stage) -> Iterator[Cast]:
    """Give the part itself, or on `replicas` one for each container of the victim."""
    if stage.on != "replicas" or part.victim is None:
        yield part
        return
    for container in list(part.victim.containers):
        yield replace(part, victim=replace(part.victim, containers=[container]), within=part, workloads=[])


def _sufferer(chain: Cast) -> Service:
    if chain.victim is None:
        raise LookupError(f"{chain.scenario.id} needs a service")
    return chain.victim


def _release(chain: Cast, now: float) -> None:
    service = _sufferer(chain)
    if service.kind != "compose" or not service.repository.startswith("registry.corp"):
        raise LookupError(f"{chain.scenario.id} needs a service of the operator's own")
    held, service.frozen_until, service.last_release = service.frozen_until, 0.0, 0.0
    release(chain.world, now, service)
    service.frozen_until = held
    chain.shows(service.workload)
    chain.lasts(now + 10 * MINUTE)


def _heartbeat(chain: Cast, now: float) -> None:
    """Let every replica report to a new vendor, every five minutes, from now on."""
    world, service, options = chain.world, _sufferer(chain), chain.world.options
    site = world.outside.vendor()
    midnight = options.start + (1 + (now - options.start) // DAY) * DAY
    for number in range(int((midnight - now) / _BEAT)):
        world.at(now + number * _BEAT, _report, service, site)
    world.at(midnight, _settle, service, site)
    world.ledger.lookalike("heartbeat", service.workload, now, options.end)
    chain.shows(service.workload)
    chain.lasts(now + DAY)


def _report(world: World, now: float, service: Service, site: Site) -> None:
    for container in service.containers:
        ts = now + world.rng.uniform(0, 3, 1)
        world.wire.to_site(ts, container.address, site, service.client, (612, 388, 0.21), look_ups=0.2)


def _settle(_: World, __: float, service: Service, site: Site) -> None:
    service.heartbeat = site


def _backup(chain: Cast, now: float) -> None:
    world, service = chain.world, _sufferer(chain)
    database = world.find(service.project, "db") or world.role("db")[0]
    backup(world, now, database, "nightly-dump")
    chain.shows(f"docker:{database.hosts[0]}/nightly-dump", database.workload)
    chain.lasts(now + HOUR)


def _respond(chain: Cast, now: float) -> None:
    service = _sufferer(chain)
    incident_response(chain.world, now, service)
    chain.shows(service.workload)
    chain.lasts(now + 15 * MINUTE)


_BENIGN: dict[str, Callable[[Cast, float], None]] = {
    "B2": _release, "B3": _backup, "B9": _heartbeat, "B14": _respond,
}  # fmt: skip
