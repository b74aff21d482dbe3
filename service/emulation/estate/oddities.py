"""What a large estate also does, each of it on both sides of the split: the rarer lookalikes of attacks."""

from service.emulation.estate import meshes, names, peers
from service.emulation.estate.builders import nested_build, nightly_builds, prepull_everywhere
from service.emulation.estate.kube_acts import undo_drift
from service.emulation.estate.operators import canary, crash_loop, incident_response
from service.emulation.estate.sink import DAY
from service.emulation.estate.world import HOUR, World

_LARGE = 40
# how many a day, when, and how many at least on each side
_ACTS = (
    (nested_build, 1.5, (7, 19), 2), (prepull_everywhere, 0.15, (8, 17), 1), (canary, 0.5, (9, 15), 1),
    (crash_loop, 0.3, (0, 23), 1), (incident_response, 0.3, (0, 23), 1), (undo_drift, 0.3, (8, 18), 1),
)  # fmt: skip


def schedule(world: World) -> None:
    """Put the rarer lookalikes into the queue."""
    options, rng = world.options, world.rng
    if options.workloads < _LARGE:
        return
    meshes.join(world)
    peers.schedule(world)
    names.schedule(world)
    nightly_builds(world)
    for first, days in ((0, options.learn_days), (options.learn_days, options.days - options.learn_days)):
        for act, rate, (early, late), least in _ACTS:
            if act is undo_drift and world.cluster is None:
                continue
            for _ in range(max(least, int(rng.poisson(rate * days)))):
                low = options.start + (first + int(rng.integers(days))) * DAY
                world.at(low + float(rng.uniform(early, late)) * HOUR, act)
