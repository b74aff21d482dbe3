"""Which scenarios are played, when, on whom and how loud; and what became of them: the ground truth."""

from dataclasses import dataclass

import msgspec

from service.emulation.estate import chains
from service.emulation.estate.cast import Cast
from service.emulation.estate.ids import iso
from service.emulation.estate.play import ACTS, play
from service.emulation.estate.variation import Variation
from service.emulation.estate.world import HOUR, MINUTE, World
from service.emulation.labels import Labels
from service.emulation.scenario import Scenario, Variant, library
from service.emulation.splits import DRAWS
from service.emulation.steps import AnyStep

# A small estate suffers these, the most important first: one of each family before a second of any.
IMPORTANT = (
    "I01", "N01", "D01", "E01", "N17", "D04", "N16", "E03", "N11", "I03", "N07", "N05", "N15", "C01", "N02", "E04",
    "E09", "E02", "I07", "D10", "N03", "I05", "D06", "C02", "N18", "I02", "D07", "N04", "E05", "N19", "D02", "E10",
    "E08",
)  # fmt: skip
SMALL = 40


@dataclass(frozen=True)
class Planned:
    """A scenario to be played once."""

    scenario: Scenario
    variant: Variant


def plan(world: World) -> list[Planned]:
    """Choose what is played: every scenario in one of the variants by turns, or in each of them.

    The turns begin elsewhere with an odd seed, so that two seeds cover both variants of everything.
    """
    options, known = world.options, library()
    chosen = [known[name] for name in options.scenarios] or list(known.values())
    if not options.scenarios and options.workloads < SMALL:
        rank = {name: place for place, name in enumerate(IMPORTANT)}
        chosen.sort(key=lambda scenario: rank.get(scenario.id, len(rank)))
        chosen = chosen[: max(6, options.workloads // 2)]
    turns = {name: place + options.seed for place, name in enumerate(known)}
    return [
        Planned(scenario, variant)
        for scenario in chosen
        for place, variant in enumerate(options.variants)
        if options.every_variant or turns[scenario.id] % len(options.variants) == place
    ]


def schedule(world: World) -> None:
    """Spread the plan over the watched days, at random, long scenarios early enough to end within them."""
    options, rng = world.options, world.rng
    planned = plan(world)
    low, high = options.watch + 40 * MINUTE, options.end - HOUR
    step = (high - low) / max(len(planned), 1)
    slots = [low + (place + float(rng.uniform(0.1, 0.9))) * step for place in range(len(planned))]
    waiting = []
    for item in planned:
        variation = Variation(_parts(item.scenario), DRAWS[options.split].spread, rng)
        if _lasting(item, variation) > high - low:
            variation.keep_times()
        waiting.append((_lasting(item, variation), item, variation))
    order = rng.permutation(len(waiting)).tolist()
    for lasting, item, variation in sorted((waiting[place] for place in order), key=lambda each: -each[0]):
        fitting = [slot for slot in slots if slot <= high - lasting] or [min(slots)]
        slot = fitting[int(rng.integers(len(fitting)))]
        slots.remove(slot)
        # Where no slot is early enough any more, several long ones begin early together.
        world.at(max(low, min(slot, high - lasting)), _begin, item, variation)


def _begin(world: World, now: float, item: Planned, variation: Variation) -> None:
    try:
        world.ledger.casts.append(_played(world, now, item, variation))
    except LookupError as error:
        world.ledger.unplayed.append(f"{item.scenario.id} {item.variant}: {error.args[0]}")


def _played(world: World, now: float, item: Planned, variation: Variation) -> Cast:
    scenario, variant = item.scenario, item.variant
    if scenario.stages:
        return chains.play_chain(world, now, scenario, variant, variation)
    if missing := {type(step) for step in scenario.played(variant)} - set(ACTS):
        raise LookupError("nobody performs " + ", ".join(sorted(act.__name__ for act in missing)))
    return play(world, now, scenario, variant, draw=variation)


def _parts(scenario: Scenario) -> list[Scenario]:
    """List a scenario, and those that a chain is made of."""
    known = library()
    return [scenario, *(known[stage.scenario] for stage in scenario.stages if stage.scenario)]


def _lasting(item: Planned, variation: Variation) -> float:
    scenario, variant = item.scenario, item.variant
    if scenario.stages:
        return chains.span(scenario, variant, variation)
    return max((_until(step) for step in scenario.played(variant, variation)), default=0.0)


def _until(step: AnyStep) -> float:
    """Tell how long after the scenario's beginning a step leaves its last telemetry, about."""
    repeats = max(getattr(step, "count", 1) - 1, 0) * getattr(step, "every", 0.0)
    own = max(getattr(step, name, 0.0) for name in ("lasting", "lives", "seconds"))
    return step.at + repeats + own


def labels(world: World) -> Labels:
    """Return the ground truth of an estate whose days are over."""
    options, ledger = world.options, world.ledger
    casts: list[Cast] = sorted(ledger.casts, key=lambda cast: cast.begin)
    told = Labels.of(
        (label for number, cast in enumerate(casts, 1) for label in cast.labels(number)),
        (act for act in ledger.lookalikes if act.start < iso(options.end)),
        split=options.split,
        seed=options.seed,
        span=(iso(options.start), iso(options.watch), iso(options.end)),
        workloads=options.workloads,
    )
    own: Labels = msgspec.json.decode(world.names.put(msgspec.json.encode(told)), type=Labels)
    return own
