"""Chains against their parts: what joining evidence gains, and whether benign chains stay low."""

from collections.abc import Mapping, Sequence

import numpy as np

from service.emulation.labels import Attack
from service.emulation.scenario import Scenario
from service.validation.outcomes import counts
from service.validation.report import ONE, RATES, ChainRow, Outcome, rounded
from service.validation.scored import seconds
from service.validation.trial import Trial, act_of

_HOUR = 3600.0


def chain_rows(trial: Trial, found: Sequence[Outcome], library: Mapping[str, Scenario]) -> list[ChainRow]:
    """Tell of every chain of an estate how it compares with its parts."""
    told = {outcome.id: outcome for outcome in found}
    rows = []
    for attack in trial.labels.attacks:
        parts = [outcome for outcome in found if outcome.chain == attack.id]
        scenario = library.get(attack.scenario)
        if parts or (scenario is not None and scenario.stages):
            rows.append(_row(trial, attack, told[attack.id], parts, scenario))
    return rows


def _row(trial: Trial, attack: Attack, whole: Outcome, parts: Sequence[Outcome], scenario: Scenario | None) -> ChainRow:
    stages = parts or [whole]
    best, joined = max(stage.bits for stage in stages), sum(stage.bits for stage in stages)
    hours = _strongest_hours(trial, len(stages))
    places = [int(np.count_nonzero(column > value)) + 1 for column, value in ((hours[0], best), (hours[1], joined))]
    bits = max(whole.bits, best) if not attack.benign else whole.bits
    names, start, end = _extent(trial, attack, parts)
    own = [
        place
        for place, incident in enumerate(trial.incidents, 1)
        if incident.workload.lower() in names and seconds(incident.start) < end and seconds(incident.end) > start
    ]
    return ChainRow(
        estate=trial.labels.seed,
        id=attack.id,
        scenario=attack.scenario,
        name=scenario.name if scenario else attack.scenario,
        variant=attack.variant,
        benign=attack.benign,
        bits=bits,
        rank=trial.judge.curve.rank(bits),
        stages=len(stages),
        fired=counts(stages),
        best=best,
        joined=rounded(joined),
        best_place=places[0],
        joined_place=places[1],
        incident=own[0] if own else 0,
        incidents=len(own),
        low=bits < trial.judge.threshold(RATES[ONE]),
    )


def _extent(trial: Trial, attack: Attack, parts: Sequence[Outcome]) -> tuple[set[str], float, float]:
    """Give every workload that a chain touches, and its first and last moment, the grace of an alert included."""
    ids = {attack.id, *(part.id for part in parts)}
    acts = [act_of(told) for told in trial.labels.attacks if told.id in ids]
    names = {name for act in acts for name in act.workloads}
    return names, min(act.start for act in acts), max(act.end for act in acts) + trial.judge.grace


def _strongest_hours(trial: Trial, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each untouched workload's strongest window, and the sum over its `count` strongest hours."""
    scored, single, summed = trial.scored, [], []
    for number in np.flatnonzero(trial.untouched).tolist():
        low, high = np.searchsorted(scored.who, [number, number + 1])
        hour = (scored.start[low:high] // _HOUR).astype(np.int64)
        _, cells = np.unique(hour, return_inverse=True)
        strongest = np.zeros(int(cells.max()) + 1 if len(cells) else 0)
        np.maximum.at(strongest, cells, scored.bits[low:high])
        strongest = np.sort(strongest)[::-1]
        single.append(float(strongest[:1].sum()))
        summed.append(float(strongest[:count].sum()))
    return np.array(single), np.array(summed)
