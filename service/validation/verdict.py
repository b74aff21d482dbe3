"""Whether a detector is worth its noise: conditions that it must meet, and that a broken one cannot."""

from collections.abc import Collection, Sequence

import numpy as np

from service.validation.judge import Judge, share_caught
from service.validation.outcomes import FULL, alone
from service.validation.report import ONE, RATES, ChainRow, Gate, Outcome, RateRow
from service.validation.trial import Trial, act_of, malign

FLOOR = 0.5
FACTOR = 2.0
SURE = 2.0  # standard deviations that chance may add to so few alerts
MARGIN = 0.2
SHUFFLES = 10


def verdict(
    trials: Sequence[Trial],
    found: Sequence[Outcome],
    chains: Sequence[ChainRow],
    rates: Sequence[RateRow],
    claims: Collection[str],
) -> list[Gate]:
    """Judge a validation.

    Parameters
    ----------
    claims
        Ids of the scenarios that the detection strategies say fire.

    Returns
    -------
    Every condition, met or not.
    """
    gates = [
        _floor(found),
        _chance(trials),
        _rate(trials, rates),
        _benign_chains(chains),
    ]
    return [*gates, _claims(found, chains, claims)] if claims else gates


def _claims(found: Sequence[Outcome], chains: Sequence[ChainRow], claims: Collection[str]) -> Gate:
    """Ask that what is claimed fires at full strength in most of its runs."""
    runs: dict[str, list[bool]] = {name: [] for name in claims}
    for outcome in alone(found):
        if outcome.variant == FULL and outcome.scenario in runs:
            runs[outcome.scenario].append(outcome.caught[ONE])
    for chain in chains:
        if chain.variant == FULL and chain.scenario in runs:
            runs[chain.scenario].append(chain.fired[ONE] > 0)
    silent = sorted(name for name, fired in runs.items() if fired and sum(fired) * 2 <= len(fired))
    unplayed = sorted(name for name, fired in runs.items() if not fired)
    told = [f"{len(runs) - len(silent) - len(unplayed)} of {len(runs)} fire"]
    told += [f"silent: {', '.join(silent)}"] if silent else []
    told += [f"not played: {', '.join(unplayed)}"] if unplayed else []
    return Gate(
        name="claimed scenarios fire",
        passed=not silent and not unplayed,
        found="; ".join(told),
        wanted=f"all, at {RATES[ONE]:g} false alert a day and 100 workloads",
    )


def _floor(found: Sequence[Outcome]) -> Gate:
    full = [outcome.caught[ONE] for outcome in alone(found) if outcome.variant == FULL]
    share = sum(full) / len(full) if full else 0.0
    return Gate(
        name="full strength caught",
        passed=bool(full) and share >= FLOOR,
        found=f"{sum(full)} of {len(full)} ({share:.0%})",
        wanted=f"at least {FLOOR:.0%} at {RATES[ONE]:g} a day",
    )


def _chance(trials: Sequence[Trial]) -> Gate:
    """Ask for more than the same scores catch when they are dealt out to windows at random."""
    own, dealt, total = 0.0, 0.0, 0
    for trial in trials:
        acts = [act_of(attack) for attack in trial.attacks]
        own += len(acts) * share_caught(trial.judge, acts, RATES[ONE])
        dealt += len(acts) * chance(trial, RATES[ONE])
        total += len(acts)
    own, dealt = (own / total, dealt / total) if total else (0.0, 0.0)
    return Gate(
        name="beats chance",
        passed=own >= dealt + MARGIN,
        found=f"{own:.0%} caught; {dealt:.0%} with its scores dealt out at random",
        wanted=f"at least {MARGIN:.0%} more than chance",
    )


def chance(trial: Trial, rate: float, seed: int = 0) -> float:
    """Return the share of attacks that an estate's scores catch when they are dealt out to its windows at random."""
    random = np.random.default_rng([seed, trial.labels.seed])
    acts = [act_of(attack) for attack in trial.attacks]
    true = [act_of(attack) for attack in malign(trial.labels)]
    shares = []
    for _ in range(SHUFFLES):
        dealt = trial.scored.with_bits(random.permutation(trial.scored.bits))
        shares.append(share_caught(Judge(dealt, true), acts, rate))
    return float(np.mean(shares))


def _rate(trials: Sequence[Trial], rates: Sequence[RateRow]) -> Gate:
    """Ask that `high` costs no more than about what it promised; that it costs less is no fault."""
    high = next(row for row in rates if row.severity == "high")
    days = sum(trial.judge.days for trial in trials)
    expected = FACTOR * high.promised * days
    most = (expected + SURE * float(np.sqrt(expected))) / days if days else 0.0
    return Gate(
        name="high keeps its budget",
        passed=days > 0 and high.realised <= most,
        found=f"{high.realised:g} false alerts a day for {high.promised:g} promised",
        wanted=f"at most {most:.1f}: {FACTOR:g} times the budget, and what chance adds in {days:.0f} days",
    )


def _benign_chains(chains: Sequence[ChainRow]) -> Gate:
    benign = [chain for chain in chains if chain.benign]
    loud = sorted(f"{chain.scenario} {chain.variant} ({chain.bits:.1f} bits)" for chain in benign if not chain.low)
    return Gate(
        name="benign chains stay low",
        passed=not loud,
        found=f"{len(benign) - len(loud)} of {len(benign)} stay low" + (f"; loud: {', '.join(loud)}" if loud else ""),
        wanted=f"all, below the threshold of {RATES[ONE]:g} a day",
    )
