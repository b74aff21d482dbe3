"""What benign behaviour that resembles attacks scores, and what it costs in alerts."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from service.emulation.labels import Lookalike
from service.validation.judge import Alert
from service.validation.report import RATES, LookalikeRow, Strange, rounded
from service.validation.scored import seconds
from service.validation.trial import Trial, act_of

# The catalogue's kinds of benign lookalikes.
NAMES = {
    "B1": "CI runner", "B2": "rolling deploy", "B3": "scheduled backup", "B4": "autoscaler",
    "B5": "images pulled ahead", "B6": "health checks", "B7": "metric scrapes", "B8": "log shipper",
    "B9": "telemetry heartbeat", "B10": "web socket, long poll", "B11": "node agent with host access",
    "B12": "image scanner", "B13": "privileged init", "B14": "operator at work", "B15": "resources changed in place",
    "B16": "package mirror", "B17": "service mesh", "B18": "noisy DNS, NTP", "B19": "replication",
    "B20": "heavy computing", "B21": "GitOps controller", "B22": "operator that lists secrets", "B23": "nested builds",
}  # fmt: skip
SHOWN = 40
_NEAR = 600.0


def strengths(trial: Trial) -> dict[str, list[float]]:
    """Give the strongest bits of each labelled act of the watched days, by kind; windows of attacks left out."""
    found: dict[str, list[float]] = defaultdict(list)
    for act, row in strongest_windows(trial):
        found[act.kind].append(float(trial.scored.bits[row]))
    return found


def strongest_windows(trial: Trial) -> list[tuple[Lookalike, int]]:
    """Give each labelled act of the watched days with the row of its strongest window outside any attack."""
    judge, scored, found = trial.judge, trial.scored, []
    watch = seconds(trial.labels.watch)
    for told in trial.labels.lookalikes:
        if seconds(told.end) < watch:
            continue
        rows = judge.rows_within(act_of(told))
        rows = rows[~judge.true[rows]]
        if len(rows):
            found.append((told, int(rows[np.argmax(scored.bits[rows])])))
    return found


def lookalike_rows(trials: Sequence[Trial]) -> list[LookalikeRow]:
    """Sum over all estates what each kind scores and costs."""
    bits: dict[str, list[float]] = defaultdict(list)
    why: dict[str, tuple[float, str]] = {}
    alerts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for trial in trials:
        for act, row in strongest_windows(trial):
            strength = float(trial.scored.bits[row])
            bits[act.kind].append(strength)
            if strength > why.get(act.kind, (-1.0, ""))[0]:
                why[act.kind] = (strength, trial.scored.texts[row])
        for place, rate in enumerate(RATES):
            threshold = trial.judge.threshold(rate)
            for kind, reached in _reaching(trial, threshold).items():
                alerts[kind][place] += reached
    rows = []
    for kind in sorted(bits, key=lambda kind: int(kind.removeprefix("B")) if kind[1:].isdigit() else 0):
        first, second, third = alerts[kind]
        rows.append(
            LookalikeRow(
                kind=kind,
                name=NAMES.get(kind, kind),
                acts=len(bits[kind]),
                spread=_spread(bits[kind]),
                alerts=(first, second, third),
                why=why[kind][1],
            )
        )
    return rows


def _spread(bits: Sequence[float]) -> tuple[float, float, float, float, float]:
    least, lower, middle, upper, most = (rounded(value) for value in np.quantile(bits, (0.0, 0.25, 0.5, 0.75, 1.0)))
    return least, lower, middle, upper, most


def _reaching(trial: Trial, threshold: float) -> dict[str, int]:
    """Count, by kind, the false alerts that a labelled act of that kind lies in."""
    acts = _by_workload(trial)
    found: dict[str, int] = defaultdict(int)
    for alert in trial.judge.alerts(threshold):
        if not alert.true:
            for kind in {act.kind for act in _beside(trial, acts, alert)}:
                found[kind] += 1
    return found


def _by_workload(trial: Trial) -> dict[str, list[tuple[float, float, Lookalike]]]:
    acts: dict[str, list[tuple[float, float, Lookalike]]] = defaultdict(list)
    for told in trial.labels.lookalikes:
        acts[told.workload.lower()].append((seconds(told.start), seconds(told.end), told))
    return acts


def _beside(trial: Trial, acts: dict[str, list[tuple[float, float, Lookalike]]], alert: Alert) -> list[Lookalike]:
    """List the labelled acts on an alert's workload around its strongest window."""
    low = float(trial.scored.start[alert.peak])
    return [act for start, end, act in acts.get(alert.workload, ()) if start < low + 2 * _NEAR and end > low - _NEAR]


def strangest(trials: Sequence[Trial], rate: float) -> list[Strange]:
    """List the false alerts that a rate allows, strongest first, with the benign acts that lie beside them."""
    found = []
    for trial in trials:
        acts = _by_workload(trial)
        for alert in trial.judge.alerts(trial.judge.threshold(rate)):
            if not alert.true:
                beside = {f"{act.kind} {act.act}".strip() for act in _beside(trial, acts, alert)}
                moment = datetime.fromtimestamp(float(trial.scored.start[alert.peak]), UTC)
                found.append(
                    Strange(
                        estate=trial.labels.seed,
                        workload=alert.workload,
                        start=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        bits=rounded(alert.bits),
                        acts=tuple(sorted(beside)),
                        why=trial.scored.texts[alert.peak],
                    )
                )
    return sorted(found, key=lambda alert: (-alert.bits, alert.estate, alert.workload))[:SHOWN]
