"""Puts the measures of all estates into one report."""

from collections.abc import Collection, Sequence

import numpy as np

from service.emulation.scenario import library
from service.validation.calibration import rate_rows
from service.validation.chains import chain_rows
from service.validation.lookalikes import lookalike_rows, strangest
from service.validation.outcomes import curve, outcomes, scenario_rows
from service.validation.report import RATES, Condition, EstateRow, Report, Setting, Sweep, rounded
from service.validation.trial import Trial
from service.validation.verdict import verdict


def measure(
    trials: Sequence[Trial],
    setting: Setting,
    claims: Collection[str] = (),
    *,
    conditions: Sequence[Condition] = (),
    sweeps: Sequence[Sweep] = (),
    unplayed: Sequence[str] = (),
) -> Report:
    """Measure what a detector catches on estates, at what noise.

    Parameters
    ----------
    trials
        Estates that were scored.
    setting
        What was asked for; stands in the report.
    claims
        Ids of the scenarios that must fire.
    conditions, sweeps
        What was measured beside it.
    unplayed
        What could not be played, and why.
    """
    known = library()
    told = [outcomes(trial) for trial in trials]
    every = [outcome for own in told for outcome in own]
    chains = [row for trial, own in zip(trials, told, strict=True) for row in chain_rows(trial, own, known)]
    rates = rate_rows(trials, setting.budget)
    gates = verdict(trials, every, chains, rates, claims)
    return Report(
        setting=setting,
        passed=all(gate.passed for gate in gates),
        gates=tuple(gates),
        estates=tuple(_estate(trial) for trial in trials),
        curve=tuple(curve(trials)),
        scenarios=tuple(scenario_rows(every, known)),
        outcomes=tuple(every),
        chains=tuple(chains),
        lookalikes=tuple(lookalike_rows(trials)),
        false=tuple(strangest(trials, max(RATES))),
        rates=tuple(rates),
        conditions=tuple(conditions),
        sweeps=tuple(sweeps),
        unplayed=tuple(unplayed),
    )


def _estate(trial: Trial) -> EstateRow:
    judge = trial.judge
    thresholds = [judge.threshold(rate) for rate in RATES]
    first, second, third = (rounded(bits) if np.isfinite(bits) else None for bits in thresholds)
    return EstateRow(
        seed=trial.labels.seed,
        windows=len(trial.scored),
        workloads=judge.workloads,
        days=rounded(judge.days),
        attacks=len(trial.attacks),
        lookalikes=len(trial.labels.lookalikes),
        thresholds=(first, second, third),
    )
