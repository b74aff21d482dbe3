"""What each severity promised, and what it cost."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from features.identity import cohort
from models.training_report import RATES as TIMES
from service.validation.report import RateRow, Share, rounded
from service.validation.trial import Trial


def rate_rows(trials: Sequence[Trial], budget: float) -> list[RateRow]:
    """Compare, over all estates, the false alerts a day of the fleet with what each severity was set for.

    What emulated acts touch may be strange beyond its label, so the rate is also taken on workloads that none of them
    touched, and stated for a fleet of the same size.
    """
    days = sum(trial.judge.days for trial in trials)
    rows = []
    for severity, times in TIMES.items():
        false, untouched = 0, 0.0
        by_cohort: Counter[str] = Counter()
        for trial in trials:
            at_peace = {name for name, quiet in zip(trial.scored.names, trial.untouched, strict=True) if quiet}
            alerts = [alert for alert in trial.judge.alerts(trial.thresholds[severity]) if not alert.true]
            false += len(alerts)
            share = float(np.mean(trial.untouched)) if len(trial.untouched) else 0.0
            untouched += sum(alert.workload in at_peace for alert in alerts) / share if share else 0.0
            by_cohort.update(cohort(alert.workload) for alert in alerts)
        realised = false / days if days else 0.0
        rows.append(
            RateRow(
                severity=severity,
                promised=rounded(budget * times),
                realised=rounded(realised),
                ratio=rounded(realised / (budget * times)),
                untouched=rounded(untouched / days) if days else 0.0,
                cohorts=tuple(
                    Share(cohort=name, alerts=count)
                    for name, count in sorted(by_cohort.items(), key=lambda item: (-item[1], item[0]))[:8]
                ),
            )
        )
    return rows
