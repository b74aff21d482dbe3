"""Plays a scenario in the estate: chooses who is who, and performs its steps at their times."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from service.emulation.estate import acts_channels, acts_containers, acts_requests, acts_traffic
from service.emulation.estate.cast import Cast, choose_victim
from service.emulation.estate.wire import Site as Address
from service.emulation.estate.world import World
from service.emulation.scenario import Scalar, Scenario, Site, Variant
from service.emulation.steps import AnyStep

Act = Callable[[Cast, float, Any], None]
ACTS: dict[type, Act] = acts_containers.ACTS | acts_traffic.ACTS | acts_channels.ACTS | acts_requests.ACTS


def play(
    world: World,
    now: float,
    scenario: Scenario,
    variant: Variant,
    *,
    draw: Callable[[str, Scalar], Scalar] | None = None,
) -> Cast:
    """Begin a scenario; its steps follow from the queue, its label is complete once they have been performed.

    Raises
    ------
    LookupError
        If the estate has nobody who could be the victim.
    """
    steps = scenario.played(variant, draw)
    cast = Cast(world, scenario, variant, now)
    choose(cast, max((step.at + duration(step) for step in steps), default=0.0))
    begin(cast, now, steps)
    return cast


def begin(cast: Cast, now: float, steps: Iterable[AnyStep]) -> None:
    """Find the sites that are not known yet, and put the steps of a scenario into the queue."""
    for name, site in cast.scenario.places(cast.variant).items():
        if name not in cast.sites:
            cast.sites[name] = _address(cast, site)
    for step in steps:
        cast.world.at(now + step.at, perform, cast, step)


def duration(step: AnyStep) -> float:
    """Return for how long a step goes on, about."""
    return max(float(getattr(step, "lasting", 0.0)), getattr(step, "count", 1) * float(getattr(step, "every", 0.0)))


def perform(_: World, now: float, cast: Cast, step: AnyStep) -> None:
    """Perform one step now."""
    ACTS[type(step)](cast, now, step)


def choose(cast: Cast, lasting: float) -> None:
    """Choose who suffers and on which machine.

    Raises
    ------
    LookupError
        If the estate has nobody who could be the victim.
    """
    world, wanted = cast.world, cast.scenario.victim
    if wanted.kind == "host":
        hosts = list(world.engines)
        cast.host = str(world.pick(hosts[:-2] or hosts))
        return
    if wanted.kind == "service":
        cast.victim = choose_victim(world, wanted.roles, replicated=wanted.replicated, until=cast.begin + lasting)
    elif world.cluster is None:
        raise LookupError(f"{cast.scenario.id} needs a Kubernetes namespace")
    else:
        pods = [s for s in world.cluster.services[:-1] if s.containers]
        cast.victim = world.pick([s for s in pods if not s.attacked] or pods)
        cast.victim.attacked, cast.victim.frozen_until = True, cast.begin + lasting + 3600.0
    cast.host = str(cast.victim.containers[0].host)


def _address(cast: Cast, site: Site) -> Address:
    world, own = cast.world, [known for known, _ in cast.victim.sites] if cast.victim else []
    if site.kind == "own" and own:
        return own[int(world.rng.integers(len(own)))]
    if site.kind in {"own", "saas"}:
        return world.outside.vendor()
    if site.kind == "bucket":
        return world.outside.bucket
    made = world.outside.stranger(plausible=site.kind == "plausible", port=site.port)
    if site.kind == "lookalike":
        return replace(made, name=world.outside.bucket.name.replace("backups", "assets"))
    return replace(made, name="") if site.kind == "bare" else made
