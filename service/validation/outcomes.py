"""What became of each attack, and of each scenario over all estates."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

import numpy as np

from service.emulation.labels import Attack
from service.emulation.scenario import Scenario
from service.validation.lookalikes import strengths
from service.validation.report import ONE, RATES, Counts, Outcome, Point, ScenarioRow, rounded
from service.validation.trial import Trial, act_of

CURVE = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
FULL = "high"  # the variant that plays a scenario at its full strength


def outcomes(trial: Trial) -> list[Outcome]:
    """Tell of every attack of an estate, chains and their parts included, what became of it."""
    benign = strengths(trial)
    return [_outcome(trial, attack, benign) for attack in trial.labels.attacks]


def _outcome(trial: Trial, attack: Attack, benign: dict[str, list[float]]) -> Outcome:
    judge, act = trial.judge, act_of(attack)
    row = judge.strongest(act)
    bits = 0.0 if row is None else float(trial.scored.bits[row])
    told = () if row is None else trial.scored.reasons[row]
    beside = np.array([value for kind in attack.lookalikes for value in benign.get(kind, ())])
    return Outcome(
        estate=trial.labels.seed,
        id=attack.id,
        scenario=attack.scenario,
        variant=attack.variant,
        workload=attack.workload if row is None else trial.scored.names[int(trial.scored.who[row])],
        start=attack.start,
        chain=attack.chain,
        benign=attack.benign,
        bits=rounded(bits),
        windows=len(judge.rows(act)),
        caught=_three([row is not None and bits >= judge.threshold(rate) for rate in RATES]),
        delay=None if (late := judge.delay(act, judge.threshold(RATES[ONE]))) is None else rounded(late),
        rank=judge.curve.rank(bits),
        reason=next((place for place, feature in enumerate(told, 1) if feature in attack.reasons), 0),
        why="" if row is None else trial.scored.texts[row],
        above=rounded(float(np.median(bits - beside))) if len(beside) else None,
        above_share=rounded(float(np.mean(bits > beside))) if len(beside) else None,
    )


def _three(flags: Sequence[bool]) -> tuple[bool, bool, bool]:
    first, second, third = flags
    return bool(first), bool(second), bool(third)


def alone(found: Iterable[Outcome]) -> list[Outcome]:
    """Keep the attacks that were played for themselves: neither chains nor their parts, nor anything benign."""
    told = list(found)
    whole = {(outcome.estate, outcome.chain) for outcome in told}
    return [o for o in told if not (o.benign or o.chain or (o.estate, o.id) in whole)]


def scenario_rows(found: Iterable[Outcome], library: dict[str, Scenario]) -> list[ScenarioRow]:
    """Sum the outcomes of each scenario and variant, in the order of their ids, full strength first."""
    runs: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for outcome in alone(found):
        runs[outcome.scenario, outcome.variant].append(outcome)
    order = {variant: place for place, variant in enumerate((FULL, "middle", "low", "dampened"))}
    rows = []
    for (name, variant), told in sorted(runs.items(), key=lambda item: (item[0][0], order.get(item[0][1], len(order)))):
        scenario = library.get(name)
        strongest = max(told, key=lambda outcome: outcome.bits)
        delays = [outcome.delay for outcome in told if outcome.delay is not None]
        rows.append(
            ScenarioRow(
                scenario=name,
                name=scenario.name if scenario else name,
                variant=variant,
                techniques=scenario.techniques if scenario else (),
                blind=scenario.blind if scenario else "",
                runs=len(told),
                caught=counts(told),
                bits=rounded(median(outcome.bits for outcome in told)),
                delay=rounded(median(delays)) if delays else None,
                rank=float(median(outcome.rank for outcome in told)),
                reasons=tuple(outcome.reason for outcome in told),
                above=_median([outcome.above for outcome in told]),
                above_share=_median([outcome.above_share for outcome in told]),
                why=strongest.why,
            )
        )
    return rows


def counts(told: Iterable[Outcome]) -> Counts:
    """Count how many are caught at each rate."""
    first, second, third = (sum(column) for column in zip(*(outcome.caught for outcome in told), strict=True))
    return first, second, third


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return rounded(median(known)) if known else None


def curve(trials: Sequence[Trial]) -> list[Point]:
    """Give the share caught, over all estates, as more false alerts are accepted."""
    points = []
    for rate in CURVE:
        shares = []
        for full in (True, False):
            caught = [
                trial.judge.caught(act_of(attack), trial.judge.threshold(rate))
                for trial in trials
                for attack in trial.attacks
                if (attack.variant == FULL) == full
            ]
            shares.append(rounded(float(np.mean(caught))) if caught else 0.0)
        points.append(Point(rate=rate, full=shares[0], dampened=shares[1]))
    return points
